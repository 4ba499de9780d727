import keras
import numpy as np
from keras import ops

from kcatalog.card import Example, Paper, Part
from kcatalog.ops.norms import scaled_norm
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
        return [_orthogonal(g, w) for g, w in zip(gradients, variables, strict=True)]


def _orthogonal(g, w):
    axes, every = incoming_axes(w), tuple(range(len(w.shape)))
    if axes != every[-1:]:  # not a table
        axes = every
    m_w, r_w = scaled_norm(ops.stop_gradient(w), axes)
    m_g, r_g = scaled_norm(g, axes)  # ‖g‖ = m_g r_g, whose square could overflow
    w_1 = at_least_float32(ops.stop_gradient(w)) / m_w / ops.where(r_w == 0, 1.0, r_w)
    g_m = at_least_float32(g) / m_g
    g_orthogonal = g_m - w_1 * ops.sum(w_1 * g_m, axis=axes, keepdims=True)
    norm = ops.sqrt(ops.sum(ops.square(g_orthogonal), axis=axes, keepdims=True))
    rounding = 16 * float(np.finfo(keras.backend.standardize_dtype(norm.dtype)).eps)
    parallel = norm <= rounding * r_g
    scale = ops.where(parallel, 0.0, r_g / ops.where(parallel, 1.0, norm))
    return ops.cast(g_orthogonal * scale * m_g, g.dtype)
