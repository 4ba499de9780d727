"""The base of losses of similarities to classes."""

from kcatalog.losses.loss import Loss
from kcatalog.ops.targets import Targets, class_targets
from kcatalog.types import Tensor


class SimilarityLoss(Loss):
    """Base of losses of a sample's similarities to classes, as `kcatalog.layers.Prototypes` gives.

    Behaviour:
        A label that is no class raises an error, or gives NaN where the step is compiled.
    """

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        return class_targets(self, y_true, y_pred.shape[:2], axis=1)
