"""Losses that hide what is wrong with their input, or misread weights and masks."""

import keras
from keras import ops

from kcatalog.card import Example
from tests.conformance.broken_parts import broken


@broken("nan_is_kept", example=Example(shape=(4,), targets="binary"))
class TakesTheOtherSide(keras.losses.Loss):
    """Compares, which is false for a NaN."""

    def call(self, y_true, y_pred):
        wrong = y_pred * (1 - 2 * y_true) > 0
        return ops.mean(ops.where(wrong, ops.abs(y_pred), 0.0), axis=-1)


@broken("nan_target_is_kept", example=Example(shape=(4,)))
class SkipsUnknownTargets(keras.losses.Loss):
    """Reads a NaN in the targets as one that does not count."""

    def call(self, y_true, y_pred):
        error = ops.where(ops.isnan(y_true), 0.0, y_true - y_pred)
        return ops.mean(ops.square(error), axis=-1)


@broken(
    "weight_is_of_its_sample",
    "padding_counts_for_nothing",
    "disagreement_is_refused",
    example=Example(shape=(4,)),
)
class LeavesAllToBroadcasting(keras.losses.Loss):
    """Lays weights of samples and targets of steps along the steps, and reads padding."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        values = ops.mean(ops.square(ops.convert_to_tensor(y_true)[:, :1] - y_pred), axis=-1)
        values = (
            values
            if self.reduction is None
            else values * (1.0 if sample_weight is None else sample_weight)
        )
        return values if self.reduction is None else ops.mean(values)


@broken(
    "ignored_class_is_left_out",
    "no_class_is_refused",
    example=Example(shape=(5,), targets="labels"),
    tags=("integer-labels",),
)
class TrainsTheLastClass(keras.losses.Loss):
    """Looks up any label as an index from the end, the ignored one too."""

    def __init__(self, ignore_class=None, **kwargs):
        super().__init__(**kwargs)
        self.ignore_class = ignore_class

    def call(self, y_true, y_pred):
        label = ops.cast(y_true, "int32") % y_pred.shape[-1]
        right = ops.one_hot(label, y_pred.shape[-1], dtype=y_pred.dtype)
        return ops.logsumexp(y_pred, axis=-1) - ops.sum(right * y_pred, axis=-1)
