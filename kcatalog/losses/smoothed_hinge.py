from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.binary_margin_loss import BinaryMarginLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Loss Functions for Preference Levels: Regression with Discrete Ordered Labels",
        "Rennie, Srebro",
        2005,
        "https://people.csail.mit.edu/jrennie/papers/ijcai05-preference.pdf",
        "definition of the smooth hinge",
    ),
    equation="l = 0 for z ≥ 1, (1 - z)² / 2w for 1 - w < z < 1, else 1 - z - w / 2; z = y s",
    space={"smoothing": Float(0.1, 2.0)},
    example=Example({"smoothing": 0.5}, shape=(4,), targets="binary"),
)
class SmoothedHinge(BinaryMarginLoss):
    """Hinge loss for two classes with a rounded corner.

    Where `keras.losses.Hinge` has a corner, a piece of a parabola joins the two lines: second-order
    and momentum methods settle there. Far on the wrong side it grows in proportion, so it
    forgives outliers more than `keras.losses.SquaredHinge`. Scores carry no probabilities.

    Maths:
        With `z = y s`: `l = 0` for `z ≥ 1`, `(1 - z)² / 2w` for `1 - w < z < 1`, and
        `1 - z - w / 2` below; `w` = `smoothing`, `s` = `y_pred`, `y` = `y_true` as -1/+1.
        The paper's `w` is 1; near 0 this is the plain hinge.

    Args:
        smoothing: `w`, the width of the rounded corner, in units of the scores,
            a number in (0, inf).

    Example:
        Half the margin is missing, and half of that squared is the loss:

        >>> loss = SmoothedHinge()
        >>> y_true = ops.convert_to_tensor([1])
        >>> float(loss(y_true, ops.convert_to_tensor([0.5])))
        0.125
    """

    def __init__(self, smoothing: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.smoothing = checks.number(self, "smoothing", smoothing, "(0, inf)")

    def of(self, z: Tensor) -> Tensor:
        u = ops.relu(1 - z)
        q = ops.minimum(u, self.smoothing)  # q = u on the parabola, q = w on the line
        return q * (u - q / 2) / self.smoothing
