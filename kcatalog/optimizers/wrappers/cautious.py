import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.ops.norms import total
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Cautious Optimizers: Improving Training with One Line of Code",
        "Liang, Chen, Liu, Liu",
        2024,
        "https://arxiv.org/abs/2411.16085",
        "algorithm 1",
    ),
    equation="w ← w - u · 1[u g > 0] · d / (Σ 1[u g > 0] + ε)",
    tags=("wrapper",),
    space={"epsilon": Float(0.0, 1.0)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.05, momentum=0.9), "epsilon": 0.5}
    ),
)
class Cautious(Wrapper):
    """Cautious steps: only the weights whose step agrees with the present gradient move.

    Momentum goes on in a direction that the loss no longer wants. Leaving those entries out, and
    enlarging the others in turn, makes each step one that the loss falls by, to first order. Made
    for AdamW and Lion; optimizers without momentum always agree. It costs two passes over the
    weights, and helps less where batches are small and gradients mostly noise.

    Maths:
        `w ← w - φ u d / (Σ φ + ε)` with `φ = 1` where `u g > 0` and 0 elsewhere, where `u` is the
        inner optimizer's step on a weight tensor `w` of `d` entries, `g` the gradient that it was
        made of, and `ε` = `epsilon`.

    Args:
        epsilon: `ε`, in [0, inf). At 1, the paper's, a tensor of one entry takes half of its step;
            at 0 the steps keep their mean size, as in timm.

    Shapes:
        Weights keep their shapes.

    Behaviour:
        The inner optimizer's moments are those of all gradients; its moving average sees the
        masked steps; its weight decay acts on all weights. The gradient is the one after
        accumulation, the sum over replicas and clipping. The paper's authors later bounded the
        share `Σ φ / d` from below, by 1e-3, instead of adding 1 to the count: that is timm's rule,
        and that of `epsilon=0` wherever one entry in a thousand agrees.

    Example:
        After a step of momentum up the second entry's gradient turns: that entry waits, and
        the first takes 2 / (1 + 1) of its step:

        >>> import keras
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = Cautious(keras.optimizers.SGD(1.0, momentum=0.5), epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([-1.0, -4.0])], [w])
        >>> optimizer.apply([keras.ops.array([-1.0, 1.0])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value))
        [4. 4.]
    """

    def __init__(self, inner: Inner, epsilon: float = 1.0, **kwargs: Any):
        super().__init__(inner, **kwargs)
        self.epsilon = checks.number(self, "epsilon", epsilon, "[0, inf)")

    def transform_update(
        self, before: Tensor, after: Tensor, gradient: Tensor, variable: keras.Variable
    ) -> Tensor:
        w = at_least_float32(before)
        u = w - at_least_float32(after)
        against = ops.sign(u) * ops.cast(gradient, u.dtype) <= 0  # so written that a NaN stays one
        d = math.prod(before.shape)
        n = d - total(ops.cast(against, u.dtype)) + self.epsilon
        scale = d / ops.where(n == 0, ops.ones_like(n), n)
        return w - scale * ops.where(against, 0.0, u)
