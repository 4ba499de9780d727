from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.binary_margin_loss import BinaryMarginLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Trading Convexity for Scalability",
        "Collobert, Sinz, Weston, Bottou",
        2006,
        "https://doi.org/10.1145/1143844.1143870",
        "ramp loss, R_s = H_1 - H_s",
    ),
    equation="l = max(0, 1 - z) - max(0, t - z); z = y s",
    space={"truncation": Float(-2.0, 0.0)},
    example=Example({"truncation": -0.5}, shape=(4,), targets="binary"),
)
class Ramp(BinaryMarginLoss):
    """Hinge loss for two classes that no sample can drive beyond a bound.

    For labels that are partly wrong: a sample whose score lies beyond `truncation` on the wrong
    side has no gradient any more. Not convex: at a bad start most samples lie there and nothing
    is learned, so begin with `keras.losses.Hinge`, or with a low `truncation`.

    Maths:
        `l = max(0, 1 - z) - max(0, t - z)` with `z = y s`, `t` = `truncation` (the paper's `s`),
        `s` = `y_pred` and `y` = `y_true` as -1/+1. That is `1 - z` kept within 0 and `1 - t`.

    Args:
        truncation: `t`, the `z` at which the loss stops growing, a number in (-inf, 1); the
            paper tries values from -1 to 0.

    Example:
        A sample short of the margin by 0.5, and one so wrong that it counts as 2:

        >>> loss = Ramp(reduction="sum")
        >>> y_true = ops.convert_to_tensor([1, 0])
        >>> float(loss(y_true, ops.convert_to_tensor([0.5, 100.0])))
        2.5
    """

    def __init__(self, truncation: float = -1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.truncation = checks.number(self, "truncation", truncation, "(-inf, 1)")

    def of(self, z: Tensor) -> Tensor:
        return ops.clip(1 - z, 0, 1 - self.truncation)
