"""Histograms of the weights, a few times a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog.recipe.monitoring.events import EventFile


class WeightHistograms(keras.callbacks.Callback):
    """A histogram of every trainable weight, some four times a run.

    Keras's own (`histogram_freq`) run an operation of TensorFlow for each weight, which in
    trainings of seconds is a tenth of the time; TensorBoard counts these with NumPy.
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
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb

    summary = Summary()
    for weight in model.trainable_variables:
        values = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
        if np.isfinite(values).all():
            tag = f"weights/{weight.path.removeprefix(f'{model.name}/')}"
            summary.MergeFromString(histogram_pb(tag, values).SerializeToString())
    return summary
