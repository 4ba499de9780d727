"""A trial: one combination of hyperparameters, trained and scored on validation data, or on folds.

After a kill it resumes after its last finished epoch, and ends with the score that it would have
had. A trial that Hyperband continues is treated like one that was interrupted, so it ends as if it
had been trained in one piece.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from kcatalog.recipe import monitoring, tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.files import disk
from kcatalog.recipe.search import folds
from kcatalog.recipe.search.progress import Notes
from kcatalog.recipe.tasks import batches_of
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import loss_switch
from kcatalog.recipe.training.checkpoint import Checkpoint

Logs = list[dict[str, float]]  # one dict an epoch


@dataclass(frozen=True)
class Work:
    """The work of one trial.

    trial_id: the oracle's name for it.
    hp: its hyperparameters. Those that `build` asks for in addition are added.
    folder: where it keeps its checkpoints.
    parent: the folder of the trial that it continues.
    """

    trial_id: str
    hp: keras_tuner.HyperParameters
    folder: Path
    parent: Path | None = None

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"


@dataclass(frozen=True)
class Training:
    """The way every trial of a search is trained.

    build: `build(hp, data)` returns a compiled model.
    epochs: epochs to train, unless a hyperparameter "epochs" says otherwise.
    folds: 1, to score by the validation split; or the number of folds into which it and the
        training split are cut, each of which is the validation data once.
    """

    build: Callable[..., Any]
    data: Data
    objective: str
    epochs: int
    batch_size: int
    seed: int
    logs: Path
    folds: int = 1

    def model(self, hp, data: Data | None = None):
        """Return a new model. The same hyperparameters give the same weights."""
        keras.utils.set_random_seed(self.seed)
        return self.build(hp, data or self.data)

    def run(self, work: Work) -> list[Logs]:
        """Train and return what each epoch reported, for each fold."""
        work.folder.mkdir(parents=True, exist_ok=True)
        with disk.file_lock(work.folder, wait=True):  # the process of a killed search may yet end
            _continue(work)
            if self.folds == 1:
                return [self._fit(work, self.data)]
            parts = folds.parts(self.data, self.folds, self.seed)
            return [self._fit(work, part, i) for i, part in enumerate(parts, start=1)]

    def _fit(self, work: Work, data: Data, fold: int | None = None) -> Logs:
        logs, folder = self.logs, work.checkpoints
        if fold is not None:
            logs, folder = logs / f"fold_{fold}", folder / f"fold_{fold}"
        keras.utils.clear_session()
        gc.collect()
        model = self.model(work.hp, data)
        checkpoint, epochs = Checkpoint(folder, self.objective), length(work.hp, self.epochs)
        start = checkpoint.resume(model)
        for sentence in checkpoint.damaged:
            print(f"{sentence} It was set aside.", file=sys.stderr)
        if start < epochs:
            trial = keras_tuner.engine.trial.Trial(work.hp, work.trial_id)
            batches = batches_of(data, work.hp, self.batch_size, self.seed)
            pipeline.fit(
                model,
                data,
                batches,
                epochs=epochs,
                initial_epoch=start,
                callbacks=[
                    *tasks.of(data).validation_callbacks(data),
                    *loss_switch.callbacks(model),
                    *monitoring.trial_callbacks(logs, trial, self.objective, data, epochs, batches),
                    checkpoint,
                    Notes(work.folder, self.objective, epochs, (fold or 1) - 1, self.folds),
                ],
                verbose=0,
            )
        return checkpoint.history


def length(hp, epochs: int) -> int:
    """Return the epochs to train: Hyperband's, or the hyperparameter's, or else `epochs`."""
    return hp.values.get("tuner/epochs") or hp.values.get("epochs", epochs)


def _continue(work: Work) -> None:
    """Copy the parent's checkpoints, unless this trial has begun already.

    Where the parent left none, training starts at the first epoch, which takes longer and ends
    with the same weights.
    """
    if work.checkpoints.exists() or work.parent is None:
        return
    parent, beside = work.parent / "checkpoints", work.folder / ".unfinished-checkpoints"
    if parent.exists():
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(parent, beside)
        os.replace(beside, work.checkpoints)


def best_epoch(parts: list[Logs], objective: keras_tuner.Objective) -> tuple[dict[Any, Any], int]:
    """Return the metrics of the best epoch, and its number from 0.

    Of folds it is the epoch that is best for all of them together: metrics are means of the folds,
    beside which each fold's own value of the objective is kept.
    """
    epochs = min(map(len, parts))
    if not epochs:
        raise RecipeError("The loss is not a finite number in the first epoch.")
    history = {}
    for name in set.intersection(*(set(logs) for part in parts for logs in part)):
        values = [[logs[name] for logs in part[:epochs]] for part in parts]
        history[name] = np.mean(values, axis=0).tolist()
        if name == objective.name and len(parts) > 1:
            history |= {fold_name(name, i): v for i, v in enumerate(values, start=1)}
    if objective.name not in history:
        raise RecipeError(f"The model does not report {objective.name}.")
    scores = history[objective.name]
    best = scores.index(max(scores) if objective.direction == "max" else min(scores))
    return {name: values[best] for name, values in history.items()}, best


def fold_name(objective: str, number: int) -> str:
    """Return the name of one fold's score among a trial's metrics."""
    return f"{objective} of fold {number}"
