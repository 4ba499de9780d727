"""Histograms of the weights, a few times a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog.recipe.monitoring.events import EventFile

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
    from tensorboard.util.tensor_util import make_tensor_proto

    summary = Summary()
    for weight in model.trainable_variables:
        values = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
        if np.isfinite(values).all():
            tag = f"weights/{weight.path.removeprefix(f'{model.name}/')}"
            # TensorBoard's `histogram_pb` compares each weight with each bucket: that is slow
            counts, edges = np.histogram(values.astype("float64"), BUCKETS)
            rows = make_tensor_proto(np.stack([edges[:-1], edges[1:], counts], axis=1))
            about = metadata.create_summary_metadata(display_name=None, description=None)
            summary.value.add(tag=tag, tensor=rows, metadata=about)
    return summary
