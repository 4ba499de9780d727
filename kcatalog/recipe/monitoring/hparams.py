"""Trials for TensorBoard's HParams tab: what was tuned, within which bounds, to what effect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from kcatalog.recipe.monitoring.events import CURVES, EventFile


class Trial(keras.callbacks.Callback):
    """One trial's row in the tab, and the columns of all.

    Of the values only active ones are written: what belongs to a part that was not chosen stays
    empty. Every trial brings the columns, as one that runs elsewhere has nobody else to do so.
    TensorBoard's own callback opens its file when it is made, so that it cannot be copied.
    """

    def __init__(self, folder: Path, trial, objective: str):
        super().__init__()
        self.events, self.objective = EventFile(folder), objective
        self.name = row(folder, trial.trial_id)
        self.hyperparameters = trial.hyperparameters

    def on_train_begin(self, logs: dict[Any, Any] | None = None) -> None:
        from tensorboard.plugins.hparams import api

        self.events.write(columns(self.hyperparameters, self.objective))
        self.events.write(api.hparams_pb(active(self.hyperparameters), trial_id=self.name))

    def on_train_end(self, logs: dict[Any, Any] | None = None) -> None:
        from tensorboard.plugins.hparams import api_pb2, summary

        self.events.write(summary.session_end_pb(api_pb2.STATUS_SUCCESS))
        self.events.close()


def row(folder: Path, trial_id: str) -> str:
    """Return a row's name. It has the run's, as TensorBoard takes the mean of rows of one name.

    >>> row(Path("/home/a/runs/image_cnn/3/logs/fold_2/trials/0"), "0")
    'image_cnn/3/0'
    """
    run = str(folder.resolve()).rpartition(f"{os.sep}logs{os.sep}")[0]
    return "/".join([*Path(run).parts[-2:], trial_id])


def columns(hyperparameters, objective: str):
    """Return the hyperparameters with their domains, for the tab's filters, and the metrics."""
    from tensorboard.plugins.hparams import api

    measures = dict.fromkeys([objective.removeprefix("val_"), "loss"])
    metrics = [
        *(api.Metric(f"{CURVES}{m}", "validation", f"validation {m}") for m in measures),
        api.Metric(f"{CURVES}loss", "train", "training loss"),
    ]
    tuned = [api.HParam(h.name, _domain(h)) for h in hyperparameters.space]
    return api.hparams_config_pb(tuned, metrics)


def active(hyperparameters) -> dict[Any, Any]:
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
    return api.Discrete(h.values)
