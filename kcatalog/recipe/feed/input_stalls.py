"""Time that training waits for its data."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

SHARE, SECONDS = 0.2, 1e-3  # of a step and per step: waiting for less is not worth a word


class Waiting(keras.callbacks.Callback):
    """Measures how long each step waits for its batch, and says so once if that is long.

    The first step of an epoch does not count, since the pipeline starts with it. For the first
    epoch nothing is said: it decodes what the later ones find in the cache.

    Args:
        events: the `EventFile` in which TensorBoard finds the measurements, epoch by epoch.
        say: told the sentence.
    """

    def __init__(self, events, say: Callable[[str], None]):
        super().__init__()
        self.events, self.say, self.said = events, say, False
        self.seconds = None  # waited for in this epoch, a variable that the pipeline adds to

    def measure(self, dataset):
        """Return the dataset, whose iterators add up how long training waits for them.

        Two timestamps in TensorFlow's runtime: no Python in the step. Where TensorFlow spreads
        batches over several devices, it fetches them ahead by itself, so that nothing can be
        measured from here.
        """
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return dataset
        with tf.device("CPU:0"):
            self.seconds = tf.Variable(0.0, dtype="float64", trainable=False)
            asked = tf.data.Dataset.range(len(dataset)).map(lambda _: tf.timestamp())
            timed = tf.data.Dataset.zip(asked, dataset).map(self._add)
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False  # it would wait in our place
        return timed.with_options(options)

    def _add(self, asked, batch):
        import tensorflow as tf

        with tf.control_dependencies([self.seconds.assign_add(tf.timestamp() - asked)]):
            return tf.nest.map_structure(tf.identity, batch)

    def on_train_begin(self, logs: dict[Any, Any] | None = None) -> None:
        self._filled = False  # the cache

    def on_train_end(self, logs: dict[Any, Any] | None = None) -> None:
        self.events.close()

    def on_epoch_begin(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        self._steps = -1

    def on_train_batch_end(self, batch: int, logs: dict[Any, Any] | None = None) -> None:
        self._last = time.perf_counter()
        self._steps += 1
        if self._steps == 0 and self.seconds is not None:
            self._first = self._last
            self.seconds.assign(0.0)

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        if self.seconds is None or self._steps < 1:
            return
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        step = (self._last - self._first) / self._steps
        waited = min(float(self.seconds.numpy()) / self._steps, step)
        self.events.write(scalar_pb("waiting for data (share of a step)", waited / step), epoch)
        self.events.write(scalar_pb("waiting for data (ms a step)", 1e3 * waited), epoch)
        filled, self._filled = self._filled, True
        if filled and not self.said and waited > SECONDS and waited > SHARE * step:
            self.said = True
            self.say(
                f"Training waited for data {100 * waited / step:.0f} % of epoch {epoch + 1} "
                f"({1e3 * waited:.1f} ms of {1e3 * step:.1f} ms a step). Decode less: store the "
                "files at the size that the recipe resizes to, keep them on a faster disk, or "
                "give more memory to the cache (--cache-memory)."
            )
