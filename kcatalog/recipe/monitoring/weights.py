"""Histograms of the weights, a few times a run."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np

BUCKETS = 30


class WeightHistograms(keras.callbacks.Callback):
    """A histogram of every trainable weight, some four times a run.

    Keras's own (`histogram_freq`) run an operation of TensorFlow for each weight, which in
    trainings of seconds is a tenth of the time; these are counted by NumPy. All go into one file:
    TensorBoard reads several by name, not by age, so that their steps would come in any order.
    """

    def __init__(self, log_dir: Path, epochs: int):
        super().__init__()
        self.log_dir, self.every = str(log_dir), max(1, epochs // 4)
        self._writer = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self._write(epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, epoch: int) -> None:
        # imported here: they load TensorFlow, whatever the backend
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._writer is None:
            self._writer = EventFileWriter(self.log_dir)
        self._writer.add_event(
            Event(wall_time=time.time(), step=epoch, summary=histograms(self.model))
        )
        self._writer.flush()


def histograms(model):
    """Return a summary with a histogram of every trainable weight that is finite."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.histogram.metadata import create_summary_metadata
    from tensorboard.util import tensor_util

    summary = Summary()
    for weight in model.trainable_variables:
        values = np.asarray(keras.ops.convert_to_numpy(weight), "float32")
        if values.size and np.isfinite(values).all():
            path = weight.path.removeprefix(f"{model.name}/")
            summary.value.add(
                tag=f"weights/{path}",
                metadata=create_summary_metadata(display_name=None, description=None),
                tensor=tensor_util.make_tensor_proto(buckets(values)),
            )
    return summary


def buckets(values: np.ndarray) -> np.ndarray:
    """Rows of left edge, right edge and how many values lie between, as TensorBoard has them."""
    low, high = values.min(), values.max()
    if low == high:
        return np.array([[low, high, 0]] * (BUCKETS - 1) + [[low, high, values.size]], "float64")
    counts, edges = np.histogram(values.astype("float64"), BUCKETS)  # however close they lie
    return np.stack([edges[:-1], edges[1:], counts], 1).astype("float64")
