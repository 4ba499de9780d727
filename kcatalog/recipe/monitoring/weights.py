"""Histograms of the weights, a few times a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog.recipe.monitoring.events import EventFile, tensor

BUCKETS = 30


class WeightHistograms(keras.callbacks.Callback):
    """A histogram of every trainable weight, some four times a run.

    Keras's own (`histogram_freq`) run an operation of TensorFlow for each weight, which in
    trainings of seconds is a tenth of the time; these are counted by NumPy.
    """

    def __init__(self, log_dir: Path, epochs: int):
        super().__init__()
        self.events, self.every = EventFile(log_dir), max(1, epochs // 4)

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self.events.write(histograms(self.model), epoch)

    def on_train_end(self, logs: dict[Any, Any] | None = None) -> None:
        self.events.close()


def histograms(model):
    """Return a summary with a histogram of every trainable weight that is finite."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.histogram import metadata

    summary = Summary()
    for weight in model.trainable_variables:
        values = np.asarray(keras.ops.convert_to_numpy(weight), "float32")
        if values.size and np.isfinite(values).all():
            tag = f"weights/{weight.path.removeprefix(f'{model.name}/')}"
            summary.value.append(tensor(tag, buckets(values), metadata))
    return summary


def buckets(values: np.ndarray) -> np.ndarray:
    """Rows of left edge, right edge and how many values lie between, as TensorBoard has them.

    TensorBoard's `histogram_pb` compares each value with each bucket, which takes thirty times
    the weights' memory.
    """
    low, high = values.min(), values.max()
    if low == high:
        return np.array([[low, high, 0]] * (BUCKETS - 1) + [[low, high, values.size]], "float64")
    counts, edges = np.histogram(values.astype("float64"), BUCKETS)  # however close they lie
    return np.stack([edges[:-1], edges[1:], counts], 1).astype("float64")
