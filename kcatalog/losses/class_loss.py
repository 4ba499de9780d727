"""The base of losses of class probabilities."""

from typing import Any

from kcatalog import checks
from kcatalog.losses.categorical_loss import CategoricalLoss


class ClassLoss(CategoricalLoss):
    """Base of losses of class probabilities, or of logits, with targets that may be smoothed.

    Args:
        from_logits: True where `y_pred` holds logits; more exact than probabilities.
        label_smoothing: The part of the target spread over all classes, in [0, 1].
        axis: The axis of classes, an integer in (-inf, inf).

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot (or any
        distribution) of the shape of `y_pred`. `y_pred`: `(batch, ..., classes)`.
        Unreduced: `(batch, ...)`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ignore_class, **kwargs)
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.label_smoothing = checks.number(self, "label_smoothing", label_smoothing, "[0, 1]")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
