import math

import keras
from keras import ops

from kcatalog.card import Example, Paper, Part
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.wrappers.units import incoming_axes
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Gradient Centralization: A New Optimization Technique for Deep Neural Networks",
        "Yong, Huang, Hua, Zhang",
        2020,
        "https://arxiv.org/abs/2004.01461",
        "equation 1",
    ),
    equation="g_i ← g_i - mean(g_i) for each unit i",
    tags=("wrapper", "transforms-gradients"),
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1, momentum=0.9)}),
)
class GradientCentralization(Wrapper):
    """Gradient centralization: every unit's gradient is shifted to mean zero.

    The weights that feed one unit then keep the mean they started with: a constraint that acts as
    a regularizer and smooths the loss. Free of arguments and almost free of cost; made for
    convolutional and dense layers. It helps less where normalization layers already make the
    mean of a unit's weights irrelevant, and hurts a model whose weights need a mean (a linear
    model on inputs that are not centred).

    Maths:
        `g_i ← g_i - (1/M) Σ_j g_ij` for each unit `i` with its `M` incoming weights `j`: the
        mean over all axes but the last. A row of an embedding, a channel of a depthwise kernel and
        a unit of an attention head is a unit of its own. Biases, scales and other vectors stay as
        they are.

    Shapes:
        Gradients keep their shapes.

    Behaviour:
        Acts on the gradient after unscaling, accumulation and the sum over replicas, and before
        the inner optimizer's clipping. Weight decay is the inner optimizer's and is not centred.
        A weight's layout is told by its path, as Keras names it: `embeddings` is a lookup table,
        `depthwise` in it a depthwise kernel, and `query`, `key` or `value` an attention kernel; of
        others the last axis counts units. Rows of a table that are not looked up have gradient 0
        and keep it. Sparse gradients become dense.

    Example:
        Gradients 1 and 3 have mean 2, so the weights move by ±1 times the learning rate:

        >>> import keras
        >>> w = keras.Variable([[0.0], [0.0]])
        >>> optimizer = GradientCentralization(keras.optimizers.SGD(0.5))
        >>> optimizer.apply([keras.ops.array([[1.0], [3.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value)[:, 0])
        [ 0.5 -0.5]
    """

    def transform_gradients(
        self, gradients: list[Tensor], variables: list[keras.Variable]
    ) -> list[Tensor]:
        return [self._centralize(g, w) for g, w in zip(gradients, variables, strict=True)]

    def _centralize(self, g, w):
        g_i, j = at_least_float32(g), incoming_axes(w)
        if len(j) == len(g.shape):
            return g
        M = math.prod(g.shape[axis] for axis in j)
        return ops.cast(g_i - ops.sum(g_i / M, axis=j, keepdims=True), g.dtype)
