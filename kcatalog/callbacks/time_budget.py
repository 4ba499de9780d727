import json
import os
import time
from pathlib import Path
from typing import Any

import keras

from kcatalog import checks
from kcatalog.atomic import atomic_write
from kcatalog.card import Example, Paper
from kcatalog.registry import component

clock = time.monotonic
WRITE_EVERY = 10.0  # seconds


@component(
    paper=Paper(
        "TensorFlow Addons",
        "TensorFlow Addons contributors",
        2019,
        "https://github.com/tensorflow/addons",
        "callbacks, TimeStopping",
    ),
    equation="stop after the batch at which: time used + longest validation ≥ seconds",
    example=Example({"seconds": 3600.0, "margin": 1.0}),
)
class TimeBudget(keras.callbacks.Callback):
    """Time budget: stops a training when its seconds are used up, validation included.

    For jobs with a limit of time, and to compare models at equal cost. The budget belongs to the
    training, not to one call of `fit`: what earlier calls have used counts.

    Maths:
        Training stops after the first batch at which `used + margin >= seconds`.

    Args:
        seconds: The budget, in seconds: a number in (0, inf).
        margin: The seconds that are left for what comes after the last batch: a number in
            [0, inf), or None for what it took in the longest epoch so far.
        file: Where the seconds used are kept for a process that resumes the training: a path, or
            None to count in this process alone.

    Shapes:
        None.

    Behaviour:
        After the last batch Keras still validates and runs the callbacks of an epoch's end, for
        which the margin is. In the first epoch it is not known yet: give it, or leave room. With
        `steps_per_execution` a batch is an execution. Several calls of `fit` with one model add
        up; another model begins anew, unless there is a `file`. The file is written every 10
        seconds and at the end of epochs, so a killed process loses 10 seconds of the count at
        most. A training whose budget was used up before it began ends after its first batch.
        `used` is the number of seconds, `stopped` whether the budget has ended a training. Differs
        from TensorFlow Addons, which looks at the clock at the end of epochs and begins
        anew with each `fit`.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, budget = np.ones((4, 1)), TimeBudget(1e-3)
        >>> history = model.fit(x, x, epochs=9, batch_size=1, verbose=0, callbacks=[budget])
        >>> len(history.epoch), int(model.optimizer.iterations), budget.stopped
        (1, 1, True)
    """

    def __init__(self, seconds: float, margin: float | None = None, file: str | Path | None = None):
        super().__init__()
        self.seconds = checks.number(self, "seconds", seconds, "(0, inf)")
        self.margin = checks.number(self, "margin", margin, "[0, inf)", optional=True)
        if file is not None:
            paths, fix = (str, os.PathLike), 'For example: "time.json".'
            checks.instance(self, "file", file, paths, "a path or None", fix)
        self.file = file
        self.used, self.stopped, self._longest = 0.0, False, 0.0

    def set_model(self, model: keras.Model) -> None:
        if self._model is not None and model is not self._model:
            self.used, self.stopped, self._longest = 0.0, False, 0.0
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.file is not None and Path(self.file).exists():
            self.used = json.loads(Path(self.file).read_text(encoding="utf-8"))["used"]
        self._looked = self._written = self._last_batch = clock()
        self.stopped = False
        self._stop_if_used_up()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._look()
        self._last_batch = self._looked
        self._stop_if_used_up()
        if self._looked - self._written >= WRITE_EVERY:
            self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._look()
        self._longest = max(self._longest, self._looked - self._last_batch)
        self._stop_if_used_up()
        self._write()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._look()
        self._write()

    def _look(self):
        now = clock()
        self.used, self._looked = self.used + now - self._looked, now

    def _stop_if_used_up(self):
        margin = self._longest if self.margin is None else self.margin
        if self.used + margin >= self.seconds:
            self.model.stop_training = self.stopped = True

    def _write(self):
        self._written = self._looked
        if self.file is not None:
            with atomic_write(Path(self.file)) as beside:
                beside.write_text(json.dumps({"used": self.used}), encoding="utf-8")
