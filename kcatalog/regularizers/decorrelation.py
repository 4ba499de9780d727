import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Reducing Overfitting in Deep Networks by Decorrelating Representations",
        "Cogswell, Ahmed, Girshick, Zitnick, Batra",
        2016,
        "https://arxiv.org/abs/1511.06068",
        "equations 1 and 2",
    ),
    tags=("penalty", "activity"),
    space={"factor": Float(1e-4, 1.0, log=True)},
    example=Example({"factor": 0.5}, shape=(6, 3)),
)
class Decorrelation(keras.regularizers.Regularizer):
    """Decorrelation (DeCov): the covariances of a layer's units over the batch.

    Units that do not repeat one another hold more, and an overfitted layer is full of repetition.
    An `activity_regularizer` for fully connected layers, also beside dropout. With batches smaller
    than the number of units the covariances are noisy; the cost is that of a units by units matrix.

    Maths:
        `Ω = λ / 2 (‖C‖² - ‖diag C‖²)` (Frobenius), with `λ` = `factor` and
        `C = Σ_n (h_n - μ)(h_n - μ)ᵀ / N` over `N` outputs `h_n`, with their mean `μ`.

    Args:
        factor: `λ`, a number in [0, inf).

    Shapes:
        Outputs `(batch, ..., units)`; positions count as samples. The penalty is `batch Ω`, since
        Keras divides the penalty of an `activity_regularizer` by the batch size.

    Behaviour:
        Variances are free, so outputs can evade it by shrinking: combine it with a task that needs
        their size. Keras passes no mask on: padding counts. Each replica takes the covariances
        of its own part of a batch. Half precision is computed in float32.

    Example:
        Two samples, two units that are equal: all covariances are 1, two of them off the diagonal.

        >>> h = keras.ops.convert_to_tensor([[1.0, 1.0], [-1.0, -1.0]])
        >>> float(Decorrelation(factor=1.0)(h)) / 2
        1.0
    """

    def __init__(self, factor: float = 0.1):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, h: Tensor) -> Tensor:
        h = at_least_float32(h)
        if len(h.shape) < 2:
            raise checks.error(self, "shape", "(batch, ..., units)", tuple(h.shape))
        batch, units = ops.cast(ops.shape(h)[0], h.dtype), h.shape[-1]
        h = ops.reshape(h, (-1, units))
        N = ops.maximum(ops.cast(ops.shape(h)[0], h.dtype), 1)
        h = h - ops.sum(h, axis=0) / N
        C = ops.matmul(ops.transpose(h), h) / N
        covariances = C * (1 - ops.eye(units, dtype=C.dtype))
        return self.factor / 2 * batch * ops.sum(ops.square(covariances))
