"""The base of all metrics."""

import keras
import numpy as np
from keras import ops
from keras.src.backend import in_stateless_scope

from kcatalog.ops.masks import mask_of
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import numbers, same_samples
from kcatalog.ops.weights import Weights, without_nan

# Keras has no public name for whether it infers shapes, when values are arbitrary; it is used here
# alone.


class Metric(keras.metrics.Metric):
    """Base of all metrics: a part states by `count` what a batch adds to its state.

    What Keras would do without a word is done by its meaning or refused. A weight of a sample
    weighs all its values. The mask that Keras hands on with `y_pred` takes steps out. A NaN in
    targets or predictions that count makes the result NaN until the state is reset. Targets that
    disagree with the predictions raise an error. A batch without samples changes nothing.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch to the state."""
        y, p = self.read(y_true, y_pred)
        self.compare(y, p, mask_of(y_pred), sample_weight)

    def read(self, y_true, y_pred):
        """Return targets and predictions as tensors, predictions in float32 at least."""
        y = numbers(self, "y_true", y_true)
        return y, at_least_float32(numbers(self, "y_pred", y_pred))

    def compare(self, y_true, y_pred, mask, sample_weight, **details):
        """Hand a batch to `count`, free of NaN: its weights have it."""
        same_samples(self, y_true, y_pred)
        if y_pred.shape[0] == 0:
            return
        weights = Weights(self, sample_weight, mask, y_true, y_pred)
        self.count(without_nan(y_true), without_nan(y_pred), weights, **details)

    def count(self, y_true, y_pred, weights):
        """Add a batch to the state; `weights(values)` are the weights of what is counted."""
        raise NotImplementedError


def known(variable):
    """Return the value of a variable as NumPy, or None while a step or shapes are traced."""
    if in_stateless_scope():
        return None
    try:
        return np.asarray(ops.convert_to_numpy(variable))
    except Exception:  # each backend raises an error of its own
        return None
