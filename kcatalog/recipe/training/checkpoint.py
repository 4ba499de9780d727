"""Crash-safe training: after a kill, a run goes on and ends with the same weights.

Keras's own `BackupAndRestore` leaves out the random-seed states of layers and overwrites its
file in place, so a kill while it writes loses the run. Here an epoch's whole state, the best
weights so far included, is one file, written beside and renamed into place. The one before is kept,
in case a disk damages the newest.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from kcatalog.recipe.files import disk
from kcatalog.recipe.tasks import higher_is_better
from kcatalog.recipe.terminal.errors import RecipeError

LAST, PREVIOUS = "last.npz", "previous.npz"
NOTES = "notes"  # the entry of a checkpoint that says what is in it, and how far it had come


class Checkpoint(keras.callbacks.Callback):
    """Writes `last.npz` each epoch: all state, and the best weights by the objective.

    An epoch whose loss is not finite is never written, so the file holds good weights only.
    """

    def __init__(self, folder: Path, objective: str):
        super().__init__()
        self.last, self.previous = folder / LAST, folder / PREVIOUS
        self.objective = objective
        self.sign = 1 if higher_is_better(objective) else -1
        self.history: list[dict] = []
        self.best_epoch = self.diverged_in = None
        self.averaged = False
        self.damaged: list[str] = []  # what was wrong with files that had to be passed over
        self._best: dict[str, np.ndarray] = {}

    def is_best(self, logs: dict) -> bool:
        """Whether no epoch so far was better.

        Of equals the later one counts as best: an accuracy on a small split ties often, and
        as the learning rate falls, weights settle.
        """
        if self.best_epoch is None:
            return True
        best = self.history[self.best_epoch][self.objective]
        return self.sign * logs[self.objective] >= self.sign * best

    def resume(self, model) -> int:
        """Put a model back to where the last run stood. Returns the epoch to begin with."""
        arrays, progress = self._newest()
        if progress is None:
            return 0
        self.history, self.best_epoch = progress["history"], progress["best_epoch"]
        best = {k: arrays.pop(f"best/{k}", arrays.get(k)) for k in _weights(model)}
        assign(self.last, _state(model), arrays)
        self._best = best
        return len(self.history)

    def _newest(self) -> tuple[dict, dict | None]:
        """The newest checkpoint that is whole; `self.damaged` tells of one that is not."""
        for file in (self.last, self.previous):
            if not file.exists():  # a kill between two renamings leaves the previous one alone
                continue
            try:
                return read(file)
            except RecipeError as e:
                self.damaged.append(str(e))
                os.replace(file, file.with_suffix(".damaged"))  # not to be kept as the previous
        return {}, None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = {k: float(v) for k, v in (logs or {}).items()}
        if self.objective not in logs:
            raise RecipeError(
                f"The recipe's objective {self.objective!r} must be a metric that its model "
                f"reports. Received: {', '.join(logs)}."
            )
        watched = (logs["loss"], logs.get("val_loss", 0.0), logs[self.objective])
        if not all(map(math.isfinite, watched)):
            self.diverged_in, self.model.stop_training = epoch, True
            return
        arrays = _arrays(_state(self.model))
        if self.is_best(logs):
            self.best_epoch, best = epoch, {}
            # copies: on a CPU, an array may be a mere view of what the next step changes
            self._best = {k: np.array(arrays[k]) for k in _weights(self.model)}
        else:
            best = {f"best/{k}": v for k, v in self._best.items()}
        self.history.append(logs)
        progress = {"history": self.history, "best_epoch": self.best_epoch}
        write(self.last, {**arrays, **best}, progress, keep=self.previous)

    def keep_best(self, model, validation_logs: Callable[[], dict]) -> None:
        """Leave the model with its best weights by validation.

        An optimizer that averages weights puts the average in place when training ends; the
        average is then one more candidate, with `validation_logs()` for its scores.
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


def _weights(model) -> dict:
    """Weights and the seed states of random layers."""
    return {f"weights/{i}": v for i, v in enumerate(model.variables)}


def _state(model) -> dict:
    """Everything the next step depends on."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    optimizer = {f"optimizer/{i}": v for i, v in enumerate(model.optimizer.variables)}
    return {**_weights(model), **optimizer}


def _arrays(variables: dict) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in variables.items()}


def save_state(file: Path, variables: dict, progress: dict | None = None) -> None:
    """Variables and progress in one file, written beside and renamed into place."""
    write(file, _arrays(variables), progress)


def load_state(file: Path, variables: dict) -> dict | None:
    """Assign what `save_state` wrote. Returns the progress."""
    arrays, progress = read(file)
    assign(file, variables, arrays)
    return progress


def write(file: Path, arrays: dict, progress: dict | None, keep: Path | None = None) -> None:
    """Write a checkpoint; what was in its place is kept under the name `keep`."""
    notes = json.dumps({"arrays": sorted(arrays), "progress": progress})
    with disk.atomic_write(file) as beside:
        with beside.open("wb") as stream:
            np.savez(stream, **{NOTES: notes}, **arrays)
        if keep and file.exists():
            os.replace(file, keep)


def read(file: Path) -> tuple[dict[str, np.ndarray], dict | None]:
    """A checkpoint's arrays and progress.

    Every array has a checksum in its file, as zip archives have, which is compared as the array
    is read; which arrays there are stands in the notes. Pickled objects, which could run code,
    and packed ones, which could fill the memory, are not what `write` writes, and are refused.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if any(i.compress_type != zipfile.ZIP_STORED for i in archive.infolist()):
                raise ValueError("it is compressed")
        with np.load(file, allow_pickle=False) as saved:
            arrays = {k: saved[k] for k in saved.files}
        notes = json.loads(str(arrays.pop(NOTES)))
        if sorted(arrays) != notes["arrays"]:
            raise ValueError("an array is missing")
        return arrays, notes["progress"]
    except Exception as e:  # whatever NumPy and zipfile make of arbitrary bytes
        if isinstance(e, MemoryError) or disk.disk_error(e):
            raise  # the file may be whole
        raise RecipeError(f"{file} is damaged: {e}.") from e


def epochs_done(folder: Path) -> int:
    """How many epochs the newest checkpoint in `folder` holds that is whole."""
    for file in (folder / LAST, folder / PREVIOUS):
        with contextlib.suppress(RecipeError):
            if file.exists():
                return len(read(file)[1]["history"])
    return 0


def assign(file: Path, variables: dict, arrays: dict) -> None:
    """Assign all arrays of a checkpoint, or none."""
    fits = set(arrays) == set(variables) and all(
        arrays[k].shape == tuple(v.shape) for k, v in variables.items()
    )
    if not fits:
        raise RecipeError(
            f"{file} must be a checkpoint of this very model. Received: other weights. "
            "Has the recipe changed since? Start a new run without --resume."
        )
    for k, v in variables.items():
        v.assign(arrays[k])
