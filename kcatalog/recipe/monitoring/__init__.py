"""What TensorBoard shows: curves, gradients, pictures, and trials with their hyperparameters."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from kcatalog.callbacks import GradientFlow
from kcatalog.recipe import pipeline, tasks
from kcatalog.recipe.data.files import take
from kcatalog.recipe.monitoring import pictures

MOST_PICTURED = 5000  # samples of the validation split that are looked at while training


class Curves(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback, kept from drawing graphs.

    It has a name of its own because KerasTuner redirects callbacks called `TensorBoard`, and
    does so under the TensorFlow backend only.
    """

    def __init__(self, log_dir: Path):
        super().__init__(str(log_dir), write_graph=False)


class Pictures(keras.callbacks.Callback):
    """The validation split's pictures that are quickly drawn, some five times a run."""

    def __init__(self, log_dir: Path, data, epochs: int):
        super().__init__()
        self.log_dir, self.data, self.every = log_dir, data, max(1, epochs // 5)
        self.writer = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.writer = _writer(self.log_dir / "validation")

    def on_train_end(self, logs: dict | None = None) -> None:
        self.writer.close()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0 and self.data.task != "forecast":
            x, y = self.data.validation
            x, y = take(x, np.arange(min(len(x), MOST_PICTURED))), y[:MOST_PICTURED]
            outputs = pipeline.predict(self.model, x)
            if np.isfinite(outputs).all():
                known = tasks.gallery(self.data, self.model)
                predicted = tasks.of(self.data).predicted(outputs, *known)
                judged = pictures.Judged(self.data, (x, y), outputs, predicted)
                pictures.while_training(self.writer, judged, epoch)


def write_test(log_dir: Path, judged: pictures.Judged, model, scores: dict[str, float]) -> None:
    """How the test split went: scores and pictures."""
    import tensorflow as tf

    writer = _writer(log_dir / "test")
    pictures.at_the_end(writer, judged, model)
    with tf.device("CPU:0"), writer.as_default():
        for name, value in scores.items():
            tf.summary.scalar(name, value, step=0)
    writer.close()


def _writer(log_dir: Path):
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.summary.create_file_writer(str(log_dir))


def trial_callbacks(log_dir: Path, trial) -> list[keras.callbacks.Callback]:
    """Curves of one trial, and its hyperparameters for the HParams tab.

    `trial.hyperparameters.values` holds the active ones: what belongs to a part that was not
    chosen stays empty in the tab.
    """
    from tensorboard.plugins.hparams import api

    values = active(trial.hyperparameters)
    folder = log_dir / "trials" / trial.trial_id
    hparams = api.KerasCallback(str(folder), values, trial_id=trial.trial_id)
    return [Curves(folder), hparams]


def training_callbacks(log_dir: Path, data, epochs: int, batches) -> list:
    """Curves, pictures, and the gradient norms of every layer, some thirty times a run."""
    # an embedding that fits its batch has no gradient left, which is no fault
    vanishing = 0.0 if data.task == "embedding" else 1e-7
    probe = batches[0] if data.task == "embedding" else (data.train[0][:32], data.train[1][:32])
    log_dir = log_dir / "training"
    every = max(1, epochs * len(batches) // 30)
    return [
        Curves(log_dir),
        Pictures(log_dir, data, epochs),
        GradientFlow(probe, str(log_dir / "gradients"), every_steps=every, vanishing=vanishing),
    ]


def active(hyperparameters) -> dict:
    """Active hyperparameters by name, without the tuner's own notes."""
    return {k: v for k, v in sorted(hyperparameters.values.items()) if not k.startswith("tuner/")}
