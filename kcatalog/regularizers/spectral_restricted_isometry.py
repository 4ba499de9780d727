import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper
from kcatalog.ops.norms import scaled_norm
from kcatalog.ops.spectral import as_matrix, gram_less_identity, power_iteration
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Can We Gain More from Orthogonality Regularizations in Training Deep Networks?",
        "Bansal, Chen, Wang",
        2018,
        "https://arxiv.org/abs/1810.09102",
        "section 3.4, equations 7 to 9",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-5, 1.0, log=True), "iterations": Int(2, 20)},
    example=Example({"factor": 0.1, "iterations": 15}, shape=(2, 3, 4)),
)
class SpectralRestrictedIsometry(keras.regularizers.Regularizer):
    """Spectral restricted isometry (SRIP): how much a kernel can stretch or shrink a signal.

    Soft orthogonality sums over all pairs of units; this looks at the one direction whose length
    the kernel changes most, and works on that. In the paper it gives the best accuracy of the
    orthogonality penalties for deep CNNs. Fade it out towards the end of training, where
    it costs accuracy.

    Maths:
        `Ω = λ σ(Wᵀ W - I)`, with `λ` = `factor`, `σ` = the largest absolute eigenvalue and `W` =
        the kernel flattened to (all input axes, output units). It is estimated as
        `‖(Wᵀ W - I) v‖` with a unit vector `v` from `iterations` steps of power iteration. Where
        there are more outputs than inputs, `W Wᵀ` is taken.

    Args:
        factor: `λ`, a number in [0, inf).
        iterations: Steps of power iteration, an integer in [1, inf). The paper takes the
            equivalent of 1, from a random start.

    Shapes:
        A kernel `(..., units)` with at least two axes; the penalty is a scalar.

    Behaviour:
        Zero for orthonormal kernels. The start of the iteration is fixed, so nothing is random and
        no state is kept; the estimate is never above `σ`. The gradient takes `v` as given, which
        is exact once the iteration has converged. Half precision is computed in float32.

    Example:
        Lengths 1.1 and 0.5: the squares are off by 0.21 and -0.75.

        >>> penalty = SpectralRestrictedIsometry(factor=1.0)
        >>> round(float(penalty(keras.ops.convert_to_tensor([[1.1, 0.0], [0.0, 0.5]]))), 4)
        0.75
    """

    def __init__(self, factor: float = 0.01, iterations: int = 10):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.iterations = checks.integer(self, "iterations", iterations, "[1, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        A = gram_less_identity(as_matrix(self, w))  # symmetric
        given = ops.stop_gradient(A)
        v = power_iteration(
            lambda v: ops.matmul(given, v), A.shape[0], self.iterations, given.dtype
        )
        m, r = scaled_norm(ops.matmul(A, v))
        return self.factor * ops.sum(m * r)
