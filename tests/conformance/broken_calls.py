"""Parts that keep something of a call on themselves, and the checks that have to find it."""

import time

import keras
from keras import ops

from kcatalog.card import Example
from tests.conformance.broken_parts import broken


@broken("nothing_kept", "threads_agree")
class KeepsItsInput(keras.layers.Layer):
    """Puts its input where another thread's call finds it, and takes it away at the end."""

    def build(self, input_shape):
        self._x = None

    def call(self, x):
        self._x = x
        time.sleep(0.02)
        y = 2.0 * self._x
        self._x = None
        return y


class _Step:
    """An object of a layer that is none of Keras's."""

    function = None


@broken("nothing_kept")
class KeepsItsStep(keras.layers.Layer):
    """Puts a function of this call on an object of its own, where an error would leave it."""

    def build(self, input_shape):
        self._step = _Step()

    def call(self, x):
        self._step.function = lambda: 2.0 * x
        y = self._step.function()
        self._step.function = None
        return y


@broken("nothing_kept", "threads_agree", example=Example(shape=(5,), targets="real"))
class KeepsItsTargets(keras.losses.Loss):
    """Reads the targets from itself."""

    def call(self, y_true, y_pred):
        self.y_true = y_true
        time.sleep(0.02)
        return ops.mean(ops.square(self.y_true - y_pred), axis=-1)


@broken("shapes_refused", example=Example(shape=(4, 4, 3)))
class LeavesShapesToTheBackend(keras.layers.Layer):
    """Averages axes that may not be there."""

    def call(self, x):
        return ops.mean(x, axis=(1, 2, 3))


@broken("called_in_half_precision")
class ExpectsItsOwnPrecision(keras.layers.Layer):
    """Takes what it is handed to be of its own dtype, as it is unless a wrapper calls it."""

    def build(self, input_shape):
        self._own = self.add_weight((), "ones")

    def call(self, x):
        own = keras.backend.standardize_dtype(x.dtype) == self.compute_dtype
        return x * self._own if own else ops.zeros_like(x)


@broken("whole_numbers_taken")
class RoundsItsFactor(keras.layers.Layer):
    """Computes in the dtype of what it is handed, integers too."""

    def call(self, x):
        return x * ops.cast(0.5, x.dtype)


@broken("empty_batch_taken")
class ScalesByTheFirst(keras.layers.Layer):
    """Takes it for granted that there is a first sample."""

    def call(self, x):
        return x[:1] / x[:1] * ops.mean(x) if x.shape[0] else ops.zeros((1, *x.shape[1:]))
