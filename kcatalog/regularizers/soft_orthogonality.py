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
        "section 3.1",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-6, 1e-2, log=True)},
    example=Example({"factor": 0.1}, shape=(2, 3, 4)),
)
class SoftOrthogonality(keras.regularizers.Regularizer):
    """Soft orthogonality: the distance of a kernel's Gram matrix from the identity.

    Orthonormal units neither repeat one another nor stretch the signal, which steadies deep CNNs
    early in training. Fade it out or keep the factor small: near the end it costs accuracy.
    `keras.regularizers.OrthogonalRegularizer` looks at angles alone and leaves
    lengths free.

    Maths:
        `Ω = λ ‖Wᵀ W - I‖²` (Frobenius), with `λ` = `factor` and `W` = the kernel flattened to (all
        input axes, output units). Where there are more outputs than inputs their Gram matrix
        cannot be the identity, and `W Wᵀ` is taken, the smaller of the two.

    Args:
        factor: `λ`, a number in [0, inf).

    Shapes:
        A kernel `(..., units)` with at least two axes; the penalty is a scalar.

    Behaviour:
        Zero for orthonormal kernels; a zero kernel pays `λ min(inputs, units)`. Half precision is
        computed in float32.

    Example:
        Two equal unit vectors: the Gram matrix is off by 1 in two places.

        >>> penalty = SoftOrthogonality(factor=0.5)
        >>> float(penalty(keras.ops.convert_to_tensor([[1.0, 1.0], [0.0, 0.0]])))
        1.0
    """

    def __init__(self, factor: float = 1e-4):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        # differs from the paper: W Wᵀ where Wᵀ W could not be the identity
        return self.factor * ops.sum(ops.square(gram_less_identity(as_matrix(self, w))))
