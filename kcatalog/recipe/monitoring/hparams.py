"""Trials for TensorBoard's HParams tab: what was tuned, within which bounds, to what effect."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import keras_tuner


class Trial(keras.callbacks.Callback):
    """One trial's row in the tab, and the columns of all.

    Of the values only active ones are written: what belongs to a part that was not chosen stays
    empty. Every trial brings the columns, as one that runs elsewhere has nobody else to do so.
    TensorBoard's own callback opens its file when it is made, so that it cannot be copied.
    """

    def __init__(self, folder: Path, trial, objective: str):
        super().__init__()
        self.folder, self.name, self.objective = folder, trial.trial_id, objective
        self.hyperparameters = trial.hyperparameters

    def on_train_begin(self, logs: dict | None = None) -> None:
        from tensorboard.plugins.hparams import api

        write_columns(self.folder, self.hyperparameters, self.objective)
        with _writing(self.folder):
            api.hparams(active(self.hyperparameters), trial_id=self.name)

    def on_train_end(self, logs: dict | None = None) -> None:
        import tensorflow as tf
        from tensorboard.plugins.hparams import api_pb2, summary

        ended = summary.session_end_pb(api_pb2.STATUS_SUCCESS)
        with _writing(self.folder):
            tf.summary.experimental.write_raw_pb(ended.SerializeToString(), step=0)


def write_columns(folder: Path, hyperparameters, objective: str) -> None:
    """Return the hyperparameters with their domains, for the tab's filters, and the metrics."""
    from tensorboard.plugins.hparams import api

    columns = [api.HParam(h.name, _domain(h)) for h in hyperparameters.space]
    judged = objective.removeprefix("val_")
    measures = dict.fromkeys([judged, "loss"])
    metrics = [
        *(api.Metric(f"epoch_{m}", "validation", f"validation {m}") for m in measures),
        api.Metric("epoch_loss", "train", "training loss"),
    ]
    with _writing(folder):
        api.hparams_config(columns, metrics)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Summaries go into an event file of their own, which is closed at the end."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default():
            yield
        writer.close()


def active(hyperparameters) -> dict:
    """Active hyperparameters by name, without the tuner's own notes."""
    return {k: v for k, v in sorted(hyperparameters.values.items()) if not k.startswith("tuner/")}


def _domain(h):
    """Convert a hyperparameter's range to TensorBoard's form."""
    from tensorboard.plugins.hparams import api

    types = keras_tuner.engine.hyperparameters
    if isinstance(h, types.Int):
        return api.IntInterval(h.min_value, h.max_value)
    if isinstance(h, types.Float):
        return api.RealInterval(float(h.min_value), float(h.max_value))
    if isinstance(h, types.Boolean):
        return api.Discrete([False, True])
    return api.Discrete(h.values if isinstance(h, types.Choice) else [h.value])
