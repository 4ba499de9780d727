"""The base of losses of one score for two classes."""

from kcatalog.losses.loss import Loss
from kcatalog.ops.labels import signs
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.samples import mean_over_outputs
from kcatalog.ops.targets import Targets, two_classes
from kcatalog.types import Tensor


class BinaryMarginLoss(Loss):
    """Base of losses for two classes that look at `z = y s` alone: a part states `of(z)`.

    Shapes:
        `y_true`: 0/1 or -1/+1, as `y_pred`; a last axis of 1 may be left out.
        `y_pred`: scores `(batch, ..., outputs)` or `(batch,)`. Unreduced: `(batch, ...)`, the mean
        over the outputs, as in Keras's hinges.

    Behaviour:
        Each sample on its own: a label above 0 is the positive class, any other the negative.
        Half precision is computed in float32.
    """

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        return two_classes(self, y_true, y_pred)

    def of(self, z: Tensor) -> Tensor:
        """Return the loss of each score, signed by its label."""
        raise NotImplementedError

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = at_least_float32(y_pred)
        return mean_over_outputs(self.of(signs(y_true, s) * s))
