import keras
from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.ops.spectral import as_matrix, polar_factor
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Projection-like Retractions on Matrix Manifolds",
        "Absil, Malick",
        2012,
        "https://doi.org/10.1137/100802529",
        "section 3.3",
    ),
    equation="W ← W (Wᵀ W)^(-1/2)",
    tags=("projection",),
    example=Example(shape=(2, 3, 4)),
)
class Stiefel(keras.constraints.Constraint):
    """Stiefel manifold: the nearest kernel with orthonormal units.

    An exactly orthogonal layer keeps lengths, so signals and gradients neither grow nor vanish:
    for recurrent kernels over many steps, for bases and whitening. Begin with
    `keras.initializers.Orthogonal`. Where a rough orthogonality is enough,
    `kcatalog.regularizers.SoftOrthogonality` costs less and leaves the loss more freedom.

    Maths:
        `W ← argmin over Q of ‖W - Q‖` with `Qᵀ Q = I`, or `Q Qᵀ = I` if there are more units than
        inputs, for `W` = the kernel flattened to (all input axes, output units): the polar
        factor `U Vᵀ` of `W = U S Vᵀ`, by the iteration of Newton and Schulz,
        `X ← (3 X - X Xᵀ X) / 2`, 23 times.

    Shapes:
        A kernel `(..., units)` with at least two axes; the result has the same shape.

    Behaviour:
        Deterministic, by matrix products alone. Exact to about 1e-6 if the smallest singular
        value is at least 1e-5 of the norm, as it is after an optimizer's step from an orthonormal
        kernel. Directions that a kernel lacks stay missing: a kernel of zeros stays zero. Half
        precision is computed in float32 and rounded at the end.

    Example:
        >>> w = Stiefel()(keras.ops.convert_to_tensor([[3.0, -4.0], [4.0, 3.0]]))
        >>> [round(float(v), 4) for v in w[0]]
        [0.6, -0.8]
    """

    def __call__(self, w: Tensor) -> Tensor:
        dtype = keras.backend.standardize_dtype(w.dtype)
        return ops.cast(ops.reshape(polar_factor(as_matrix(self, w)), w.shape), dtype)
