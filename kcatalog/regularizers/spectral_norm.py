import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper
from kcatalog.ops.norms import scaled_norm
from kcatalog.ops.spectral import as_matrix, power_iteration
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Spectral Norm Regularization for Improving the Generalizability of Deep Learning",
        "Yoshida, Miyato",
        2017,
        "https://arxiv.org/abs/1705.10941",
        "equation 3",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-4, 0.1, log=True), "iterations": Int(2, 20)},
    example=Example({"factor": 0.1, "iterations": 20}, shape=(3, 2, 2)),
)
class SpectralNorm(keras.regularizers.Regularizer):
    """Spectral norm penalty: half the square of a kernel's largest singular value.

    Keeps a model from amplifying small changes of its input, and unlike weight decay leaves the
    other directions of a kernel alone. For large-batch training and noisy inputs. For a
    bound that holds use `kcatalog.constraints.SpectralNorm`, and for kernels divided by the norm
    `keras.layers.SpectralNormalization`.

    Maths:
        `Ω = λ / 2 σ(W)²`, with `λ` = `factor`, `σ` = the largest singular value and `W` = the
        kernel flattened to (all input axes, output units). It is estimated as `‖W v‖` with a unit
        vector `v` from `iterations` steps of power iteration on `Wᵀ W`.

    Args:
        factor: `λ`, a number in [0, inf).
        iterations: Steps of power iteration, an integer in [1, inf).

    Shapes:
        A kernel `(..., units)` with at least two axes; the penalty is a scalar.

    Behaviour:
        Differs from the paper: each call iterates from the same start, where the paper does one
        step from the vector of the last call, so that no state is kept; the estimate is never above
        `σ`. The gradient takes `v` as given, as in the paper, which is exact once the iteration
        has converged. A convolution is taken as the matrix of its kernel, as in the paper; its own
        norm can be larger. Half precision is computed in float32.

    Example:
        >>> penalty = SpectralNorm(factor=1.0)
        >>> round(float(penalty(keras.ops.convert_to_tensor([[3.0, 0.0], [0.0, 1.0]]))), 4)
        4.5
    """

    def __init__(self, factor: float = 0.01, iterations: int = 10):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.iterations = checks.integer(self, "iterations", iterations, "[1, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        W = as_matrix(self, w)
        given = ops.stop_gradient(W)
        m, _ = scaled_norm(given)
        half = ops.rsqrt(m)
        given = given * half * half  # squares neither overflow nor vanish

        def product(v):
            return ops.matmul(ops.transpose(given), ops.matmul(given, v))

        v = power_iteration(product, W.shape[1], self.iterations, given.dtype)
        m, r = scaled_norm(ops.matmul(W, v))
        return self.factor / 2 * ops.sum(ops.square(m * r))
