"""The base of rank correlations, which need every value at once."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.buffer import appended
from kcatalog.ops.weights import weights_like


class KeptPairs(keras.metrics.Metric):
    """Base of metrics that need every value at once: it keeps those of the first samples.

    Args:
        capacity: How many samples are kept, an integer in [2, inf). Set it to the size of the set
            or above: later samples are left out.

    Shapes:
        `y_true`, `y_pred`: one number for each sample, `(batch,)` or `(batch, 1)`. The result is a
        scalar.
    """

    def __init__(self, capacity=4096, **kwargs):
        super().__init__(**kwargs)
        self.capacity = checks.integer(self, "capacity", capacity, "[2, inf)")
        self._count = self.add_variable((), "zeros", "int32", name="count")
        self._x, self._y, self._w = (
            self.add_variable((capacity,), "zeros", "float32", name=name)
            for name in ("targets", "predictions", "weights")
        )

    def _kept(self):
        """Targets, predictions and weights, `(capacity,)` each; the largest weight is 1.

        Empty slots have weight 0. Equal weights become exactly 1, so that counts stay whole
        numbers.
        """
        w = ops.divide_no_nan(self._w.value, ops.max(self._w.value))
        return self._x.value, self._y.value, w

    def update_state(self, y_true, y_pred, sample_weight=None):
        x, y = self._numbers("y_true", y_true), self._numbers("y_pred", y_pred)
        w = weights_like(sample_weight, y)
        for state, values in ((self._x, x), (self._y, y), (self._w, w)):
            state.assign(appended(state.value, values, self._count.value))
        end = self._count.value + ops.shape(y)[0]
        self._count.assign(ops.minimum(end, self._x.shape[0]))

    def _numbers(self, name, values):
        values = ops.cast(values, "float32")
        shape = tuple(values.shape)
        if len(shape) > 2 or shape[1:] not in ((), (1,)):
            fix = "Give each output of a model a metric of its own."
            raise checks.error(self, name, "one number for each sample, (batch,)", shape, fix)
        return ops.reshape(values, (-1,))
