"""The base of in-batch losses of two views of each sample."""

from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.targets import Targets, numbers, same_samples
from kcatalog.ops.views import are_stacked, pair, two_views
from kcatalog.types import Tensor


class TwoViewLoss(InBatchLoss):
    """Base of in-batch losses of two views of each sample, such as a question and its answer.

    A part's `compare` is given both views, and what tells copies apart where it has an argument
    `ids` that is True.

    Args:
        ids: True to read `y_true` as the samples' ids, False to ignore it where `y_pred` stacks
            both views. Rows with one id hold the same, and are never each other's negatives: give
            each document its number where a document may answer two questions of a batch.
    """

    ids = False

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        if self.ids:
            return super().targets(y_true, y_pred)
        y = numbers(self, "y_true", y_true, self.dtype)
        same_samples(self, y, y_pred)
        return Targets(y, faults=None if are_stacked(y_pred) else y)

    def samples(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, ...]:
        if self.ids:
            return *pair(self, y_pred), y_true
        return two_views(self, y_true, y_pred)
