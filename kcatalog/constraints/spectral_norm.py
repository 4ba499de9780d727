import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.spectral import as_matrix, norm_bound
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Regularisation of Neural Networks by Enforcing Lipschitz Continuity",
        "Gouk, Frank, Pfahringer, Cree",
        2018,
        "https://arxiv.org/abs/1804.04368",
        "equation 5",
    ),
    tags=("projection",),
    space={"max_value": Float(0.5, 10.0, log=True)},
    example=Example({"max_value": 0.5}, shape=(2, 3, 4)),
)
class SpectralNorm(keras.constraints.Constraint):
    """Spectral norm constraint: a kernel whose largest singular value is at most a bound.

    A dense layer then changes no difference of inputs by more than the factor `max_value`, and a
    stack of them by no more than the product: for critics, for models that must not amplify noise,
    and for invertible residual blocks (below 1). `keras.constraints.MaxNorm` bounds units one by
    one, which says little of all together.

    Maths:
        `W ← W min(1, c / σ(W))`, with `c` = `max_value`, `σ` = the largest singular value and `W` =
        the kernel flattened to (all input axes, output units). `σ` is taken as
        `(tr (Wᵀ W)ᵖ)^(1 / 2p)` with `p` = 4096, which is never below it, and above it by a factor
        of `n^(1 / 2p)` at most, for the smaller size `n` of `W`: 1.001 for 1000.

    Args:
        max_value: `c`, the bound, a number in (0, inf).

    Shapes:
        A kernel `(..., units)` with at least two axes; the result has the same shape.

    Behaviour:
        Deterministic and without state: unlike power iteration it does not trail behind the
        weights, and the bound holds after each step, up to rounding. Scales the kernel
        as a whole, as the paper does; the nearest kernel would have only its largest singular
        values cut. Of a convolution it bounds the matrix of its kernel; its own norm is at most
        that times the root of the number of places of the kernel. Costs 13 products of the Gram
        matrix, of size `n`, with itself. Half precision is computed in float32 and rounded at the
        end.

    Example:
        >>> w = SpectralNorm(max_value=2.0)(keras.ops.convert_to_tensor([[4.0, 0.0], [0.0, 1.0]]))
        >>> [round(float(v), 4) for v in keras.ops.diagonal(w)]
        [2.0, 0.5]
    """

    def __init__(self, max_value: float = 1.0):
        self.max_value = checks.number(self, "max_value", max_value, "(0, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        dtype = keras.backend.standardize_dtype(w.dtype)
        W = as_matrix(self, w)
        sigma = norm_bound(W)
        inside = sigma <= self.max_value
        W = W * ops.where(inside, 1.0, self.max_value / ops.where(inside, 1.0, sigma))
        return ops.cast(ops.reshape(W, w.shape), dtype)
