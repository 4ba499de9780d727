"""Histograms of the weights, a few times a run."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np


class WeightHistograms(keras.callbacks.Callback):
    """A histogram of every trainable weight, some four times a run.

    Keras's own (`histogram_freq`) run an operation of TensorFlow for each weight, which in
    trainings of seconds is a tenth of the time; these are counted by NumPy.
    """

    def __init__(self, log_dir: Path, epochs: int):
        super().__init__()
        self.log_dir, self.every = str(log_dir), max(1, epochs // 4)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            write(self.log_dir, self.model, epoch)


def write(log_dir: str, model, step: int) -> None:
    """A histogram of every trainable weight for TensorBoard."""
    import tensorflow as tf
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb

    with tf.device("CPU:0"), tf.summary.create_file_writer(log_dir).as_default():
        for weight in model.trainable_variables:
            values = np.asarray(keras.ops.convert_to_numpy(weight), "float32")
            if np.isfinite(values).all():
                path = weight.path.removeprefix(f"{model.name}/")
                histogram = histogram_pb(f"weights/{path}", values)
                tf.summary.experimental.write_raw_pb(histogram.SerializeToString(), step)
