"""Metrics that hide what is wrong with their input, or misread weights and masks."""

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Example
from tests.conformance.broken_parts import broken

LABELS = Example(shape=(4,), targets="labels")


class Mean(keras.metrics.Metric):
    """The mean of what a metric states by `each`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._sum = self.add_variable((), "zeros", "float32", name="sum")
        self._weight = self.add_variable((), "zeros", "float32", name="weight")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        each = self.each(y_true, y_pred)
        w = ops.ones_like(each) if sample_weight is None else ops.cast(sample_weight, "float32")
        w = ops.squeeze(w, -1) if len(w.shape) > len(each.shape) else w
        self._sum.assign_add(ops.sum(w * each))
        self._weight.assign_add(ops.sum(w * ops.ones_like(each)))

    def result(self):
        return ops.divide_no_nan(self._sum.value, self._weight.value)


@broken(
    "nan_shows",
    "nan_target_shows",
    "weight_is_of_a_sample",
    "padding_shows_nowhere",
    "batches_must_agree",
    example=Example(shape=(1,)),
    better="lower",
)
class LeavesMetricsToBroadcasting(Mean):
    """Lays weights along the steps, compares any number of targets, and compares with a NaN."""

    def each(self, y_true, y_pred):
        return ops.cast(ops.abs(y_true - y_pred)[..., 0] > 0.5, "float32")


@broken("whole_numbers_as_floats", example=LABELS, better="higher")
class RoundsItsPredictions(Mean):
    """Takes whole numbers for something else."""

    def each(self, y_true, y_pred):
        scale = 1.0 if "float" in keras.backend.standardize_dtype(y_pred.dtype) else 0.5
        return scale * ops.cast(y_pred[:, 0], "float32")


@broken("empty_batch_changes_nothing", example=LABELS, better="higher")
class CountsNothing(Mean):
    """Divides by the samples of a batch, of which there may be none."""

    def each(self, y_true, y_pred):
        return ops.full((1,), np.divide(float(y_pred.shape[0]), np.float64(y_pred.shape[0])))


@broken(
    "long_labels_differ-int64",
    "long_labels_differ-uint64",
    "long_labels_differ-float64",
    example=Example(shape=(4,), targets="labels", classes=3),
    tags=("integer-labels", "embeddings"),
    better="higher",
)
class CutsItsLabels(Mean):
    """Computes with the lower half of a label."""

    def each(self, y_true, y_pred):
        y = ops.convert_to_numpy(y_true).astype("int64").astype("int32")
        y = ops.convert_to_tensor(y)
        return ops.mean(ops.cast(ops.equal(y[:, None], y[None, :]), "float32"), axis=1)


@broken("no_class_gains_nothing", example=LABELS, tags=("integer-labels",), better="higher")
class TakesAnyLabelForRight(Mean):
    """Counts a sample as right unless it is of another class."""

    def each(self, y_true, y_pred):
        y, classes = ops.cast(y_true, "int32"), y_pred.shape[-1]
        wrong = y != ops.cast(ops.argmax(-y_pred, axis=-1), "int32")
        known = ops.logical_and(y >= 0, y < classes)
        return 1.0 - 0.5 * ops.cast(ops.logical_or(known, wrong), "float32") * ops.cast(
            known, "float32"
        )


@broken("overflow_is_reported", example=Example({"capacity": 32}, shape=(4,)), better="higher")
class CutsInSilence(Mean):
    """Looks at the first samples only."""

    def __init__(self, capacity=8, **kwargs):
        super().__init__(**kwargs)
        self.capacity = checks.integer(self, "capacity", capacity, "[1, inf)")

    def each(self, y_true, y_pred):
        return y_pred[: self.capacity, 0]


@broken("logged_as_numbers", example=LABELS)
class GivesAnArray(Mean):
    """Has a result for each class."""

    def each(self, y_true, y_pred):
        return y_pred[:, 0]

    def result(self):
        return ops.stack([self._sum.value, self._weight.value])


@broken("evaluation_beside_others", example=LABELS, better="higher")
class MixesDevices(Mean):
    """Computes with its state as it is, which Keras may have left on another device."""

    def each(self, y_true, y_pred):
        return y_pred[:, 0] + 0.0 * self._sum.value
