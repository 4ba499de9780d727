from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.losses.binary_margin_loss import BinaryMarginLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Solving Large Scale Linear Prediction Problems Using Stochastic Gradient Descent "
        "Algorithms",
        "Zhang",
        2004,
        "https://doi.org/10.1145/1015330.1015332",
        "modified Huber loss",
    ),
    equation="l = max(0, 1 - z)² for z ≥ -1, else -4 z; z = y s",
    example=Example(shape=(4,), targets="binary"),
)
class ModifiedHuber(BinaryMarginLoss):
    """Squared hinge loss for two classes, growing only in proportion for outliers.

    Smooth, robust, and the one hinge here whose scores mean probabilities: at the optimum
    `s = 2 p - 1`, so `(clip(s, -1, 1) + 1) / 2` estimates the chance of the positive class. Take
    binary cross-entropy where fine distinctions near 0 or 1 matter.

    Maths:
        With `z = y s`: `l = max(0, 1 - z)²` for `z ≥ -1`, and `-4 z` below; `s` = `y_pred` and
        `y` = `y_true` as -1/+1. Value and slope meet at -1.

    Example:
        A sample short of the margin by 1.5, squared, and an outlier on the line:

        >>> loss = ModifiedHuber(reduction="sum")
        >>> y_true = ops.convert_to_tensor([1, 0])
        >>> float(loss(y_true, ops.convert_to_tensor([-0.5, 3.0])))
        14.25
    """

    def of(self, z: Tensor) -> Tensor:
        u = ops.relu(1 - z)
        q = ops.minimum(u, 2.0)  # q = u on the parabola, q = 2 on the line
        return q * (2 * u - q)
