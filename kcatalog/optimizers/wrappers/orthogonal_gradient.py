import math

import keras
import numpy as np
from keras import ops

from kcatalog.card import Example, Paper, Part
from kcatalog.ops.norms import scaled_norm, total
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.wrappers.units import incoming_axes
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Grokking at the Edge of Numerical Stability",
        "Prieto, Barsbey, Mediano, Birdal",
        2025,
        "https://arxiv.org/abs/2501.04697",
        "section 5, ⊥Grad",
    ),
    equation="g ← ‖g‖ g⊥ / ‖g⊥‖ with g⊥ = g - (w·g / w·w) w",
    tags=("wrapper", "transforms-gradients"),
    example=Example(
        {"inner": Part("keras.optimizers.Adam", learning_rate=0.05, weight_decay=0.04)}
    ),
    exemptions={"converges": "the minima have norms that steps across the weights do not reach"},
)
class OrthogonalGradient(Wrapper):
    """Orthogonal gradients (OrthoGrad, ⊥Grad): steps that turn the weights, not stretch them.

    A classifier that has fitted its data can lower the loss by scaling its logits up, with no
    change in what it predicts, until the softmax saturates and the gradient vanishes. Without the
    part along the weights that way is closed, and generalization goes on. For classifiers
    trained far beyond a perfect fit, without weight decay. It hurts where the size of the weights
    matters, as in regression and for scales and biases.

    Maths:
        `g ← ‖g‖ g⊥ / ‖g⊥‖` with `g⊥ = g - (w·g / w·w) w`, over all entries of a weight tensor, or
        over one row of a lookup table.

    Shapes:
        Gradients keep their shapes.

    Behaviour:
        Acts on the gradient after accumulation and the sum over replicas, and before the inner
        optimizer's clipping. Differs from the paper: each row of a table, told by its path
        (`embeddings`), is a tensor of its own, so that rows that are not looked up stay. A
        gradient that is parallel to the weights, up to rounding, becomes 0: a weight of one
        element does not move once it differs from 0. Where that is not wanted, give scales and
        biases another optimizer in `keras.optimizers.MultiOptimizer`. Zero weights have nothing to
        be orthogonal to. Norms are computed in float32 and do not overflow.

    Example:
        Of the gradient (3, 4) at weight (1, 0) the second part stays, with all of the norm:

        >>> import keras
        >>> w = keras.Variable([1.0, 0.0])
        >>> optimizer = OrthogonalGradient(keras.optimizers.SGD(1.0))
        >>> optimizer.apply([keras.ops.array([3.0, 4.0])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value))
        [ 1. -5.]
    """

    def transform_gradients(
        self, gradients: list[Tensor], variables: list[keras.Variable]
    ) -> list[Tensor]:
        g_s = [at_least_float32(g) for g in gradients]
        w_s = [at_least_float32(ops.stop_gradient(w)) for w in variables]
        groups = list(zip(g_s, w_s, map(_axes, variables), strict=True))
        large = [group for group in groups if _is_large(*group)]
        of_large = iter(_numbers_of_large(large) if large else ())
        numbers = [next(of_large) if _is_large(*group) else _numbers(*group) for group in groups]
        new = [(g - along * w) * s for (g, w, _), (along, s) in zip(groups, numbers, strict=True)]
        return [ops.cast(n, g.dtype) for n, g in zip(new, gradients, strict=True)]


def _axes(variable):
    axes, every = incoming_axes(variable), tuple(range(len(variable.shape)))
    return axes if axes == every[-1:] else every  # the rows of a table, or the whole


def _is_large(g, w, axes):
    """Return whether a gradient is unlikely to be parallel, or zero, by chance."""
    return len(axes) == len(w.shape) and math.prod(w.shape) > 1000


def _numbers(g, w, axes):
    """Return `w·g / w·w` and `‖g‖ / ‖g⊥‖`; no square overflows, or loses what is left of it."""
    m_w, r_w = scaled_norm(w, axes)
    m_g, r_g = scaled_norm(g, axes)  # ‖g‖ = m_g r_g
    r_w = ops.where(r_w == 0, 1.0, r_w)
    w_1, g_m = w / m_w / r_w, g / m_g
    along = ops.sum(w_1 * g_m, axis=axes, keepdims=True)
    norm = ops.sqrt(ops.sum(ops.square(g_m - w_1 * along), axis=axes, keepdims=True))
    rounding = 16 * float(np.finfo(keras.backend.standardize_dtype(norm.dtype)).eps)
    parallel = norm <= rounding * r_g
    scale = ops.where(parallel, 0.0, r_g / ops.where(parallel, 1.0, norm))
    return along * m_g / m_w / r_w, scale


def _numbers_of_large(groups):
    """Return the same of whole tensors from three dot products each, where these suffice."""
    dtype = "float64" if any("float64" in str(w.dtype) for _, w, _ in groups) else "float32"

    def stacked(numbers):
        return ops.stack([ops.cast(ops.reshape(n, ()), dtype) for n in numbers])

    w_w, w_g, g_g = (
        stacked(total(a * b) for a, b in pairs)
        for pairs in zip(*(((w, w), (w, g), (g, g)) for g, w, _ in groups), strict=True)
    )
    along = w_g / w_w
    left = g_g - w_g * along  # ‖g⊥‖²
    sizes = ops.stack([w_w, g_g])
    fits = ops.logical_and(ops.min(sizes) > 1e-30, ops.max(sizes) < 1e30)
    fits = ops.logical_and(fits, ops.all(left > 0.01 * g_g))

    def exact():
        along, scale = zip(*(_numbers(*group) for group in groups), strict=True)
        return stacked(along), stacked(scale)

    along, scale = ops.cond(fits, lambda: (along, ops.sqrt(g_g / left)), exact)
    along, scale = ops.unstack(along, len(groups)), ops.unstack(scale, len(groups))
    return [
        (ops.cast(a, w.dtype), ops.cast(s, w.dtype))
        for a, s, (_, w, _) in zip(along, scale, groups, strict=True)
    ]
