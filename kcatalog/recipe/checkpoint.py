"""Crash-safe training: after a kill, a run goes on and ends with the same weights.

Keras's own `BackupAndRestore` leaves out the random-seed states of layers and overwrites its
file in place, so a kill while it writes loses the run. Here an epoch's whole state is written
beside and renamed into place.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from kcatalog.recipe.errors import RecipeError
from kcatalog.recipe.tasks import higher_is_better


class Checkpoint(keras.callbacks.Callback):
    """Writes `last.npz` (all state) each epoch and `best.npz` when the objective improves.

    An epoch whose loss is not finite is never written, so both files hold good weights only.
    """

    def __init__(self, folder: Path, objective: str):
        super().__init__()
        self.folder, self.objective = folder, objective
        self.sign = 1 if higher_is_better(objective) else -1
        self.history: list[dict] = []
        self.best_epoch = self.diverged_in = None
        self.averaged = False

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
        file = self.folder / "last.npz"
        if not file.exists():
            return 0
        progress = load_state(file, _state(model))
        self.history, self.best_epoch = progress["history"], progress["best_epoch"]
        return len(self.history)

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
        if self.is_best(logs):
            self.best_epoch = epoch
            save_state(self.folder / "best.npz", _weights(self.model))
        self.history.append(logs)
        progress = {"history": self.history, "best_epoch": self.best_epoch}
        save_state(self.folder / "last.npz", _state(self.model), progress)

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
            load_state(self.folder / "best.npz", _weights(model))

    def _changed_at_the_end(self, model) -> bool:
        trainable = {f"weights/{i}": v for i, v in enumerate(model.variables) if v.trainable}
        with np.load(self.folder / "last.npz") as saved:
            return any(
                not np.array_equal(saved[k], keras.ops.convert_to_numpy(v))
                for k, v in trainable.items()
            )


def _weights(model) -> dict:
    """Weights and the seed states of random layers."""
    return {f"weights/{i}": v for i, v in enumerate(model.variables)}


def _state(model) -> dict:
    """Everything the next step depends on."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    optimizer = {f"optimizer/{i}": v for i, v in enumerate(model.optimizer.variables)}
    return {**_weights(model), **optimizer}


def save_state(file: Path, variables: dict, progress: dict | None = None) -> None:
    """Variables and progress in one file, written beside and renamed into place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.tmp")
    arrays = {k: keras.ops.convert_to_numpy(v) for k, v in variables.items()}
    try:
        with beside.open("wb") as stream:
            np.savez(stream, progress=json.dumps(progress), **arrays)
        os.replace(beside, file)
    except OSError as e:
        beside.unlink(missing_ok=True)
        raise RecipeError(f"Cannot write a checkpoint to {file}: {e}.") from e


def load_state(file: Path, variables: dict) -> dict | None:
    """Assign what `save_state` wrote. Returns the progress."""
    try:
        with file.open("rb") as stream, np.load(stream) as saved:
            fits = set(saved.files) == {*variables, "progress"} and all(
                saved[k].shape == tuple(v.shape) for k, v in variables.items()
            )
            if not fits:
                raise RecipeError(
                    f"{file} must be a checkpoint of this very model. Received: other weights. "
                    "Has the recipe changed since? Start a new run without --resume."
                )
            for k, v in variables.items():
                v.assign(saved[k])
            return json.loads(str(saved["progress"]))
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise RecipeError(f"{file} is damaged: {e}. Start a new run without --resume.") from e
