"""Trials for TensorBoard's HParams tab: what was tuned, within which bounds, to what effect."""

from __future__ import annotations

from pathlib import Path

import keras
import keras_tuner


def callbacks(folder: Path, trial, objective: str) -> list[keras.callbacks.Callback]:
    """One trial's row in the tab, and the columns of all.

    `trial.hyperparameters.values` holds the active ones: what belongs to a part that was not
    chosen stays empty in the tab.
    """
    from tensorboard.plugins.hparams import api

    row = api.KerasCallback(str(folder), active(trial.hyperparameters), trial_id=trial.trial_id)
    return [Columns(folder, trial.hyperparameters, objective), row]


class Columns(keras.callbacks.Callback):
    """Every trial brings the columns: one that runs elsewhere needs nobody to write them."""

    def __init__(self, folder: Path, hyperparameters, objective: str):
        super().__init__()
        self.folder, self.hyperparameters, self.objective = folder, hyperparameters, objective

    def on_train_begin(self, logs: dict | None = None) -> None:
        write_columns(self.folder, self.hyperparameters, self.objective)


def write_columns(folder: Path, hyperparameters, objective: str) -> None:
    """The hyperparameters with their domains, by which the tab filters, and the metrics."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    columns = [api.HParam(h.name, _domain(h)) for h in hyperparameters.space]
    judged = objective.removeprefix("val_")
    measures = dict.fromkeys([judged, "loss"])
    metrics = [
        *(api.Metric(f"epoch_{m}", "validation", f"validation {m}") for m in measures),
        api.Metric("epoch_loss", "train", "training loss"),
    ]
    with tf.device("CPU:0"), tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams_config(columns, metrics)


def active(hyperparameters) -> dict:
    """Active hyperparameters by name, without the tuner's own notes."""
    return {k: v for k, v in sorted(hyperparameters.values.items()) if not k.startswith("tuner/")}


def _domain(h):
    """A hyperparameter's range in TensorBoard's words."""
    from tensorboard.plugins.hparams import api

    types = keras_tuner.engine.hyperparameters
    if isinstance(h, types.Int):
        return api.IntInterval(h.min_value, h.max_value)
    if isinstance(h, types.Float):
        return api.RealInterval(float(h.min_value), float(h.max_value))
    if isinstance(h, types.Boolean):
        return api.Discrete([False, True])
    return api.Discrete(h.values if isinstance(h, types.Choice) else [h.value])
