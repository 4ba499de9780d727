"""Pictures of the validation split, drawn while training."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras

from kcatalog.recipe import tasks
from kcatalog.recipe.data.files import draw, take
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.monitoring import pictures
from kcatalog.recipe.monitoring.events import EventFile
from kcatalog.recipe.tasks import heads

MOST_SAMPLES = 5000
FIRST = 1.0  # seconds, an estimate of the first pictures, which compile the model's prediction
PICTURES = 5  # a run

clock = time.perf_counter


class Pictures(keras.callbacks.Callback):
    """Pictures of the validation split, about five times a run if time allows, else at its end.

    Args:
        folder: the event files' folder.
        data: `data.validation` is predicted.
        epochs: of the whole run.
        max_share: the share of the training time that pictures may take, in (0, 1]; 1 draws anyhow.
    """

    def __init__(self, folder: Path, data, epochs: int, max_share: float = 1.0):
        super().__init__()
        self.events, self.data = EventFile(folder / "validation"), data
        self.max_share = max_share
        self.epochs, self.every = epochs, max(1, epochs // PICTURES)
        self.measured = self.left_out = 0

    def on_train_begin(self, logs: dict[Any, Any] | None = None) -> None:
        self._began, self._first_epoch = clock(), None
        self._spent, self._cost = 0.0, FIRST

    def on_train_end(self, logs: dict[Any, Any] | None = None) -> None:
        self.events.close()

    def on_epoch_begin(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        if self._first_epoch is None:
            self._first_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        due, last = (epoch + 1) % self.every == 0, epoch + 1 == self.epochs
        if due and not self._affordable(epoch):
            due, self.left_out = False, self.left_out + 1
        if due or (last and not self.measured):
            begin = clock()
            self._draw(epoch)
            self._cost = clock() - begin
            self._spent += self._cost
            self.measured += 1

    def _affordable(self, epoch: int) -> bool:
        """Return whether the next pictures keep to their share of the time of training."""
        if self.max_share == 1:
            return True
        done, all_of_them = epoch + 1 - self._first_epoch, self.epochs - self._first_epoch
        training = (clock() - self._began - self._spent) / done * all_of_them
        return self._spent + self._cost <= self.max_share * training

    def _draw(self, epoch: int) -> None:
        x, y = self.data.validation
        places = draw(len(y), MOST_SAMPLES)
        x, y = take(x, places), y[places]
        task, outputs = tasks.of(self.data), pipeline.predict(self.model, x)
        outputs = heads.to_contract(task, self.model, self.data, outputs)
        predicted = task.predicted(outputs, *task.gallery(self.model, self.data, "validation"))
        predictions = pictures.Predictions(self.data, (x, y), outputs, predicted, places)
        pictures.write(self.events, predictions, epoch)
