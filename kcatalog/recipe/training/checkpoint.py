"""Checkpoints: a training that is killed and resumed ends with the same weights.

Keras's `BackupAndRestore` leaves out the seed states of layers and overwrites its file in place, so
a kill during the write loses the run. Here the whole state after an epoch, with the best weights so
far, is one file that is written atomically. The one before is kept in case the newest is damaged.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.tasks import higher_is_better
from kcatalog.recipe.terminal.errors import RecipeError

LAST, PREVIOUS = "last.npz", "previous.npz"
NOTES = "notes"  # the entry that lists the arrays and holds the progress


class Checkpoint(keras.callbacks.Callback):
    """A callback that writes the state and the best weights by the objective to `last.npz`.

    An epoch whose loss is not finite is not written, so all weights in the file are finite.
    """

    def __init__(self, folder: Path, objective: str):
        super().__init__()
        self.last, self.previous = folder / LAST, folder / PREVIOUS
        self.objective = objective
        self.sign = 1 if higher_is_better(objective) else -1
        self.history: list[dict[Any, Any]] = []
        self.best_epoch = self.diverged_in = None
        self.averaged = False
        self.damaged: list[str] = []  # errors of files that were skipped
        self._best: dict[str, np.ndarray] = {}

    def is_best(self, logs: dict[Any, Any]) -> bool:
        """Return whether no earlier epoch was better.

        Among equals the later one counts as best: accuracies on a small split tie often, and
        weights settle as the learning rate falls.
        """
        if self.best_epoch is None:
            return True
        best = self.history[self.best_epoch][self.objective]
        return self.sign * logs[self.objective] >= self.sign * best

    def resume(self, model) -> int:
        """Restore the model from the newest checkpoint and return the epoch to start with."""
        arrays, progress = self._newest()
        if progress is None:
            return 0
        self.history, self.best_epoch = progress["history"], progress["best_epoch"]
        best = {k: arrays.pop(f"best/{k}", arrays.get(k)) for k in _weights(model)}
        assign(self.last, _state(model), arrays)
        self._best = best
        return len(self.history)

    def _newest(self) -> tuple[dict[Any, Any], dict[Any, Any] | None]:
        """Read the newest undamaged checkpoint; note damaged ones in `self.damaged`."""
        for file in (self.last, self.previous):
            if not file.exists():  # after a kill between two renamings there is only `previous`
                continue
            try:
                return read(file)
            except RecipeError as e:
                self.damaged.append(str(e))
                os.replace(file, file.with_suffix(".damaged"))  # it must not become `previous`
        return {}, None

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        logs = {k: float(v) for k, v in (logs or {}).items()}
        if self.objective not in logs:
            raise RecipeError(
                f"The model reports no metric {self.objective!r}, which is the objective of the "
                f"recipe. It reports {', '.join(logs)}."
            )
        watched = (logs["loss"], logs.get("val_loss", 0.0), logs[self.objective])
        if not all(map(math.isfinite, watched)):
            self.diverged_in, self.model.stop_training = epoch, True
            return
        arrays = _arrays(_state(self.model))
        if self.is_best(logs):
            self.best_epoch, best = epoch, {}
            # copies: on a CPU, an array may be a view of memory that the next step changes
            self._best = {k: np.array(arrays[k]) for k in _weights(self.model)}
        else:
            best = {f"best/{k}": v for k, v in self._best.items()}
        self.history.append(logs)
        progress = {"history": self.history, "best_epoch": self.best_epoch}
        write(self.last, {**arrays, **best}, progress, keep=self.previous)

    def keep_best(self, model, validation_logs: Callable[[], dict[Any, Any]]) -> None:
        """Assign the best weights by validation to the model.

        An optimizer that averages weights assigns the average when training ends. The average is
        then one more candidate, scored by `validation_logs()`.
        """
        if self.best_epoch is None:
            raise RecipeError(
                "Training diverged in its first epoch: the loss is not a finite number. Try a "
                "smaller learning rate, or gradient clipping."
            )
        if self.diverged_in is None and self._changed_at_the_end(model):
            self.averaged = self.is_best(validation_logs())
        if not self.averaged:
            assign(self.last, _weights(model), self._best)

    def _changed_at_the_end(self, model) -> bool:
        saved, _ = read(self.last)
        trainable = {f"weights/{i}": v for i, v in enumerate(model.variables) if v.trainable}
        return any(not np.array_equal(saved[k], v) for k, v in _arrays(trainable).items())


def _weights(model) -> dict[Any, Any]:
    """Return weights and the seed states of random layers."""
    return {f"weights/{i}": v for i, v in enumerate(model.variables)}


def _state(model) -> dict[Any, Any]:
    """Return everything that the next step depends on."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    optimizer = {f"optimizer/{i}": v for i, v in enumerate(model.optimizer.variables)}
    return {**_weights(model), **optimizer}


def _arrays(variables: dict[Any, Any]) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in variables.items()}


def write(
    file: Path, arrays: dict[Any, Any], progress: dict[Any, Any], keep: Path | None = None
) -> None:
    """Write a checkpoint; rename the file it replaces to `keep`."""
    notes = json.dumps({"arrays": sorted(arrays), "progress": progress})
    with disk.atomic_write(file) as beside:
        with beside.open("wb") as stream:
            np.savez(stream, **{NOTES: notes}, **arrays)
        if keep and file.exists():
            os.replace(file, keep)


def read(file: Path) -> tuple[dict[str, np.ndarray], dict[Any, Any]]:
    """Return the arrays and the progress of a checkpoint.

    zipfile compares the checksum of each array. The notes list the arrays, so a missing one is
    found. Pickled objects, which could run code, are refused.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
            arrays = {k: saved[k] for k in saved.files}
        notes = json.loads(str(arrays.pop(NOTES)))
        if sorted(arrays) != notes["arrays"]:
            raise ValueError("an array is missing")
        return arrays, notes["progress"]
    except Exception as e:  # NumPy and zipfile raise any type for arbitrary bytes
        if isinstance(e, MemoryError) or disk.disk_error(e):
            raise  # the file may be undamaged
        raise RecipeError(f"{file} is damaged: {e}.") from e


def epochs_done(folder: Path) -> int:
    """Return the number of epochs in the newest undamaged checkpoint of `folder`."""
    for file in (folder / LAST, folder / PREVIOUS):
        with contextlib.suppress(RecipeError):
            if file.exists():
                return len(read(file)[1]["history"])
    return 0


def assign(file: Path, variables: dict[Any, Any], arrays: dict[Any, Any]) -> None:
    """Assign all arrays of a checkpoint, or none."""
    fits = set(arrays) == set(variables) and all(
        arrays[k].shape == tuple(v.shape) for k, v in variables.items()
    )
    if not fits:
        raise RecipeError(
            f"The weights in {file} do not fit this model: the recipe has changed since. Undo the "
            f"change to go on. {rundir.anew(file)}"
        )
    for k, v in variables.items():
        v.assign(arrays[k])
