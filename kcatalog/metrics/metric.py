"""The base of all metrics."""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend import in_stateless_scope

from kcatalog.ops.masks import mask_of
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import numbers, same_samples
from kcatalog.ops.weights import Weights, without_nan
from kcatalog.types import Tensor

# Keras has no public name for whether it infers shapes, when values are arbitrary; it is used here
# alone.


class Metric(keras.metrics.Metric):
    """Base of all metrics: a part states by `count` what a batch adds to its state.

    What Keras would do without a word is done by its meaning or refused. A weight of a sample
    weighs all its values. The mask that Keras hands on with `y_pred` takes steps out. A NaN in
    targets or predictions that count makes the result NaN until the state is reset. Targets that
    disagree with the predictions raise an error. A batch without samples changes nothing.
    """

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch to the state."""
        y, p = self.read(y_true, y_pred)
        self.compare(y, p, mask_of(y_pred), sample_weight)

    def read(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets and predictions as tensors, predictions in float32 at least."""
        y, p = (_uncut(v) for v in (y_true, y_pred))
        return numbers(self, "y_true", y), at_least_float32(numbers(self, "y_pred", p))

    def compare(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor, sample_weight: Tensor, **details: Any
    ) -> tuple[Tensor, Tensor]:
        """Hand a batch to `count`: of a NaN the weight is NaN."""
        same_samples(self, y_true, y_pred)
        if y_pred.shape[0] == 0:
            return
        weights = Weights(self, sample_weight, mask, y_true, y_pred)
        self.count(without_nan(y_true), y_pred, weights, **details)

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        """Add a batch to the state; `weights(values)` are the weights of what is counted.

        Where a NaN is in `y_pred` the weight is NaN, or 0. Take `without_nan(y_pred)` to compute
        with, since 0 · NaN would be NaN; to compare is enough where the weights are summed.
        """
        raise NotImplementedError


def _uncut(x):
    """Return whole numbers beyond 32 bits as floats: backends without 64 would cut them off."""
    x = np.asarray(x) if isinstance(x, int) else x
    whole = isinstance(x, np.ndarray) and x.dtype in ("int64", "uint64") and x.size
    return x.astype("float64") if whole and (x.max() >= 2**31 or x.min() < -(2**31)) else x


def known(variable: keras.Variable) -> Tensor | None:
    """Return the value of a variable as NumPy, or None while a step or shapes are traced."""
    if in_stateless_scope():
        return None
    try:
        return np.asarray(ops.convert_to_numpy(variable))
    except Exception:  # each backend raises an error of its own
        return None
