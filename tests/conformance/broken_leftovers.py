"""Parts that leave something behind."""

import keras
from keras import ops

from kcatalog.card import Example
from tests.conformance.broken_parts import broken


@broken("inference_keeps_state")
class CountsAtInference(keras.layers.Layer):
    """Moves its average whenever it is called, at inference too."""

    def build(self, input_shape):
        self.average = self.add_weight((input_shape[-1],), "zeros", trainable=False)

    def call(self, x):
        self.average.assign(0.9 * self.average + 0.1 * ops.mean(x, axis=(0, 1)))
        return x * 2.0


@broken("result_keeps_state", example=Example(shape=(5,)))
class ForgetsOnceAsked(keras.metrics.Mean):
    """Starts anew whenever its result is read."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(ops.square(y_true - y_pred))

    def result(self):
        found = super().result() + 0.0
        self.reset_state()
        return found


@broken("batches_accumulate", example=Example(shape=(5,)))
class AssignsWhatItShouldAdd(keras.metrics.Metric):
    """Knows the last batch only."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.error = self.add_weight(name="error", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.error.assign(ops.mean(ops.square(y_true - y_pred)))

    def result(self):
        return self.error + 0.0


@broken("no_tensor_kept")
class KeepsItsScores(keras.layers.Layer):
    """Leaves what it computed on itself, for whoever wants to look at it."""

    def call(self, x):
        self.scores = ops.softmax(x)
        return self.scores


@broken("no_tensor_kept")
class KeepsItsScoresInside(keras.layers.Layer):
    """Leaves a tensor on a layer within."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.within = KeepsItsScores()

    def call(self, x):
        return self.within(x)


@broken("no_tensor_kept", example=Example(shape=(5,)))
class KeepsAListOnTheClass(keras.losses.Loss):
    """Collects its values where all its instances meet."""

    seen = []

    def call(self, y_true, y_pred):
        self.seen.append(ops.mean(ops.square(y_true - y_pred), axis=-1))
        return self.seen[-1]
