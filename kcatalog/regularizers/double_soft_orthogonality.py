import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.spectral import as_matrix, gram_less_identity
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Can We Gain More from Orthogonality Regularizations in Training Deep Networks?",
        "Bansal, Chen, Wang",
        2018,
        "https://arxiv.org/abs/1810.09102",
        "section 3.2, equation 5",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-6, 1e-2, log=True)},
    example=Example({"factor": 0.1}, shape=(2, 3, 4)),
)
class DoubleSoftOrthogonality(keras.regularizers.Regularizer):
    """Double soft orthogonality: both Gram matrices of a kernel pulled to the identity.

    The paper's remedy for kernels with more outputs than inputs, whose units cannot be
    orthonormal: then their rows are pulled to be. Only one of the two can be reached, and the
    other's distance is a constant more: this is twice `SoftOrthogonality`, which takes the smaller
    Gram matrix, plus a constant. Use it to compare with the paper's factors.

    Maths:
        `Ω = λ (‖Wᵀ W - I‖² + ‖W Wᵀ - I‖²)` (Frobenius), with `λ` = `factor` and `W` = the kernel
        flattened to (all input axes, output units). Both products have the same trace and norm, so
        `Ω = λ (2 ‖G - I‖² + |inputs - units|)` with `G` = the smaller of them.

    Args:
        factor: `λ`, a number in [0, inf).

    Shapes:
        A kernel `(..., units)` with at least two axes; the penalty is a scalar.

    Behaviour:
        At least `λ |inputs - units|`, and that for kernels with orthonormal units or rows. Half
        precision is computed in float32. The larger product, of which a convolution's is
        very large, is not computed.

    Example:
        Two equal unit vectors of 2: each Gram matrix is off by 2 in squares.

        >>> penalty = DoubleSoftOrthogonality(factor=0.5)
        >>> float(penalty(keras.ops.convert_to_tensor([[1.0, 1.0], [0.0, 0.0]])))
        2.0
    """

    def __init__(self, factor: float = 1e-4):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        W = as_matrix(self, w)
        inputs, units = W.shape
        soft = ops.sum(ops.square(gram_less_identity(W)))
        return self.factor * (2 * soft + abs(inputs - units))
