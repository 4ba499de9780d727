"""The base of losses whose targets are classes."""

from typing import Any

from kcatalog import checks
from kcatalog.losses.loss import Loss
from kcatalog.ops.targets import Targets, class_targets
from kcatalog.types import Tensor


class CategoricalLoss(Loss):
    """Base of losses whose targets are classes: `call` is given checked ones.

    Args:
        ignore_class: The class that counts for nothing, an integer in (-inf, inf) such as -1 or
            255 (void pixels, steps without a label); the mean is over the others. None: all count.
            Any other label that is no class raises an error, or gives NaN in a compiled step.
    """

    one_hot = True  # targets may also be a distribution over the classes

    def __init__(self, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.ignore_class = checks.integer(
            self, "ignore_class", ignore_class, "(-inf, inf)", optional=True
        )

    def scores(self, y_pred: Tensor) -> tuple[Any, int]:
        """Return the shape of the scores that the targets belong to, and its axis of classes."""
        return y_pred.shape, self.axis

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        shape, axis = self.scores(y_pred)
        return class_targets(self, y_true, shape, axis, self.ignore_class, self.one_hot)
