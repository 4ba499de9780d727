"""The base of rank correlations, which need every value at once."""

from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.metrics.kept_samples import KeptSamples
from kcatalog.ops.weights import Weights, without_nan
from kcatalog.types import Tensor


class KeptPairs(KeptSamples):
    """Base of metrics that need every value at once: it keeps those of the first samples.

    Args:
        capacity: How many samples are kept, an integer in [1, inf). Set it to the size of the set
            or above: later samples are left out, with a warning that tells how many there are.

    Shapes:
        `y_true`, `y_pred`: one number for each sample, `(batch,)` or `(batch, 1)`. The result is a
        scalar.
    """

    def __init__(self, capacity: int = 4096, **kwargs: Any):
        super().__init__(capacity, **kwargs)
        self._x, self._y, self._w = (
            self.add_variable((capacity,), "zeros", "float32", name=name)
            for name in ("targets", "predictions", "weights")
        )

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        """Keep targets, predictions and weights."""
        x, y = self._numbers("y_true", y_true), self._numbers("y_pred", without_nan(y_pred))
        self.keep(ops.shape(y)[0], x=x, y=y, w=weights(y))

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Targets, predictions and weights, `(capacity,)` each; the largest weight is 1.

        Empty slots have weight 0. Equal weights become exactly 1, so that counts stay whole
        numbers.
        """
        self.report_overflow()
        x, y, w = (ops.convert_to_tensor(state) for state in (self._x, self._y, self._w))
        return x, y, ops.divide_no_nan(w, ops.max(w))

    def _numbers(self, name, values):
        shape = tuple(values.shape)
        if len(shape) > 2 or shape[1:] not in ((), (1,)):
            fix = "Give each output of a model a metric of its own."
            raise checks.error(self, name, "one number for each sample, (batch,)", shape, fix)
        return ops.reshape(ops.cast(values, "float32"), (-1,))
