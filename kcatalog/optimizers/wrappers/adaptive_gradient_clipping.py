import itertools
import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.ops.norms import norms_of_groups
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.units import incoming_axes
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "High-Performance Large-Scale Image Recognition Without Normalization",
        "Brock, De, Smith, Simonyan",
        2021,
        "https://arxiv.org/abs/2102.06171",
        "equation 3",
    ),
    equation="g_i ← g_i · min(1, λ max(‖w_i‖, ε) / ‖g_i‖) for each unit i",
    tags=("wrapper", "transforms-gradients"),
    space={"clip_factor": Float(0.01, 0.16, log=True)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.5), "clip_factor": 0.05}
    ),
)
class AdaptiveGradientClipping(Wrapper):
    """Adaptive gradient clipping (AGC): no unit may change by more than a part of itself.

    A gradient is too large when it is large beside the weights it changes, so the threshold is
    a ratio and needs no retuning per layer, depth or batch size. It lets networks without batch
    normalization train at high learning rates and large batches. With optimizers that normalize
    the step themselves (Adam) it matters far less.

    Maths:
        `g_i ← g_i λ ‖w_i‖* / ‖g_i‖` for each unit `i` with `‖g_i‖ > λ ‖w_i‖*`, where
        `‖w_i‖* = max(‖w_i‖, ε)`, `λ` = `clip_factor`, `ε` = `epsilon`. A unit's norm runs over
        all axes but the last, or over a row of an embedding, a channel of a depthwise kernel, a
        unit of an attention head; a vector or scalar (bias, scale) is one unit.

    Args:
        clip_factor: `λ`, the largest ratio of gradient norm to weight norm, in (0, inf). The
            larger the batch, the smaller it has to be.
        epsilon: `ε`, the least weight norm, in (0, inf); without it a unit that starts at zero
            could never leave.

    Shapes:
        Gradients keep their shapes.

    Behaviour:
        Acts on the gradient after unscaling, accumulation and the sum over replicas, and before
        the inner optimizer's own clipping. The paper leaves the last dense layer unclipped: for
        that, give the layer an optimizer of its own in `keras.optimizers.MultiOptimizer`.
        A weight's layout is told by its path, as Keras names it (`embeddings`, `depthwise`,
        `query`, `key`, `value`). Norms are computed in float32 and do not overflow. Sparse
        gradients become dense.

    Example:
        Weight norm 5, gradient norm 10; at ratio 0.1 the gradient becomes (0.3, 0.4):

        >>> import keras
        >>> w = keras.Variable([[3.0], [4.0]])
        >>> optimizer = AdaptiveGradientClipping(keras.optimizers.SGD(1.0), clip_factor=0.1)
        >>> optimizer.apply([keras.ops.array([[6.0], [8.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value)[:, 0].round(4))
        [2.7 3.6]
    """

    def __init__(
        self, inner: Inner, clip_factor: float = 0.01, epsilon: float = 1e-3, **kwargs: Any
    ):
        super().__init__(inner, **kwargs)
        self.clip_factor = checks.number(self, "clip_factor", clip_factor, "(0, inf)")
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def transform_gradients(
        self, gradients: list[Tensor], variables: list[keras.Variable]
    ) -> list[Tensor]:
        axes = [incoming_axes(w) for w in variables]
        weights = [ops.stop_gradient(w) for w in variables]
        m, r = norms_of_groups([*gradients, *weights], axes * 2)  # whose product could overflow
        halves = self._roots(*ops.split(m, 2), *ops.split(r, 2))
        shapes = [
            [1 if i in a else n for i, n in enumerate(g.shape)]
            for g, a in zip(gradients, axes, strict=True)
        ]
        ends = list(itertools.accumulate(math.prod(shape) for shape in shapes))
        halves = ops.split(halves, ends[:-1]) if len(ends) > 1 else [halves]
        parts = zip(gradients, halves, shapes, strict=True)
        return [_scaled(g, ops.reshape(half, shape)) for g, half, shape in parts]

    def _roots(self, m_g, m_w, r_g, r_w):
        """Return the roots of the factors of all units' gradients: a factor could vanish."""
        largest = self.clip_factor * ops.maximum(m_w * r_w, self.epsilon)
        half = ops.sqrt(largest / ops.maximum(r_g, 1e-30)) / ops.sqrt(m_g)
        return ops.where(r_g > largest / m_g, half, 1.0)


def _scaled(g, half):
    exact = at_least_float32(g)
    half = ops.cast(half, exact.dtype)
    return ops.cast(exact * half * half, g.dtype)
