"""Shared base of callbacks that measure now and then: schedule, time budget and logs."""

import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog import checks
from kcatalog.types import Tensor

clock = time.perf_counter

# What it takes to compile a pass over a probe, in first training steps, which compile both ways
# and the update. TensorFlow only traces where a training step is compiled by XLA as well.
COMPILING = {"tensorflow": 0.25, "jax": 1.0, "torch": 1.0}


class Periodic(keras.callbacks.Callback):
    """Measures every so many steps, unless that would take too large a share of the time.

    A measurement is left out when it would not be paid for by `max_share` of the time that
    training takes, estimated from the steps so far. What one costs that compiles, as the first
    one does, is taken to be `first_price` of the first training step until it is known. With
    `steps_per_execution` the end of the execution is measured in which a step is due.
    """

    first_price = 0.0
    at_least_once = False  # measure the last step, whatever it takes, if no other was measured

    def __init__(self, log_dir: str | Path, every_steps: int, max_share: float):
        super().__init__()
        if log_dir is not None:
            paths, fix = (str, os.PathLike), 'For example: "logs/gradients".'
            log_dir = str(checks.instance(self, "log_dir", log_dir, paths, "a path or None", fix))
        self.log_dir = log_dir
        self.every_steps = checks.integer(self, "every_steps", every_steps, "[1, inf)")
        self.max_share = checks.number(self, "max_share", max_share, "(0, 1]")
        self._writer, self._due = None, False
        self.forget()

    def forget(self) -> None:
        """Start anew: another model than before will be trained."""
        self.measured = self.left_out = self._step = 0

    def start(self) -> None:
        """Training begins."""

    def compiles(self) -> bool:
        """Return whether the next measurement compiles something."""
        return self._price is None

    def before(self) -> None:
        """Prepare for a step that will be measured."""

    def measure(self) -> dict:
        """Tag -> number, after a step."""
        raise NotImplementedError

    def set_model(self, model: keras.Model) -> None:
        if self._model is not None and model is not self._model:
            self.forget()
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._first_step = self._first_steps = self._began = None
        self._price = self._last_cost = None
        self._steps = self._spent = self._compiling = 0
        self._epoch = None
        self.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._epoch is None:
            self._epoch = epoch
            if self._step == 0:  # a training that goes on counts on
                self._step = epoch * (self.params.get("steps") or 0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batch_began = clock()
        self._ahead = steps_ahead(self, batch)
        self._due = (self._step + self._ahead) // self.every_steps > self._step // self.every_steps
        if self._due and not self._affordable():
            self._due, self.left_out = False, self.left_out + 1
        if self.at_least_once and not self.measured and self._last():
            self._due = True
        if self._due:
            self.before()
            self._before_cost = clock() - self._batch_began

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step += self._ahead
        self._steps += self._ahead
        begin = clock()
        if self._first_step is None:
            self._first_step, self._began = begin - self._batch_began, begin
            self._first_steps = self._ahead
        if self._due:
            compiles = self.compiles()
            self._write(self.measure())
            self._account(clock() - begin + self._before_cost, compiles)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _account(self, cost, compiles):
        self.measured += 1
        if compiles:
            self._price, self._compiling = cost, self._compiling + cost
        else:
            self._spent, self._last_cost = self._spent + cost, cost

    def _affordable(self):
        if self.max_share == 1:
            return True
        if self._first_step is None or self._steps == self._first_steps:
            return False
        passed = clock() - self._began - self._spent - self._compiling
        pace = passed / (self._steps - self._first_steps)
        steps = max(self._steps, (self.params.get("steps") or 0) * self._epochs())
        budget = self.max_share * (self._first_step + pace * (steps - self._first_steps))
        budget -= self._compiling
        next_cost = pace if self._last_cost is None else self._last_cost
        if self.compiles():
            price = self.first_price * COMPILING[keras.backend.backend()] * self._first_step
            price = price if self._price is None else self._price
            return price + self._spent + next_cost <= budget
        return self._spent + next_cost <= budget * self._steps / steps

    def _last(self):
        steps, epochs = self.params.get("steps"), self.params.get("epochs") or 1
        return bool(steps) and self._step + self._ahead >= steps * epochs

    def _epochs(self):
        return max(1, (self.params.get("epochs") or 1) - (self._epoch or 0))

    def _write(self, scalars):
        if self.log_dir is None:
            return
        if self._writer is None:  # imported here: it loads TensorFlow, whatever the backend
            from tensorboard.summary import Writer

            self._writer = Writer(self.log_dir)
        for tag, value in scalars.items():
            self._writer.add_scalar(tag, value, self._step)
        self._writer.flush()


def steps_ahead(callback: keras.callbacks.Callback, batch: int) -> int:
    """Return the number of steps of the execution that begins at `batch` of the epoch.

    Keras counts the last execution as if it were full.
    """
    ahead, steps = callback.model.steps_per_execution, callback.params.get("steps")
    return min(ahead, steps - batch) if steps else ahead


class Weights:
    """The trainable weights as they stand inside `fit`, as copies."""

    def __init__(self, model: keras.Model):
        sync(model)
        variables = model.trainable_variables  # none before the first step, if that builds them
        self._model = model
        self._of = {id(v): (v, np.array(keras.ops.convert_to_numpy(v))) for v in variables}

    def norms(self) -> dict[str, float]:
        """Return the norm for each layer path."""
        return by_layer(self._model, self._of.values())

    def moved_from(self, before: Tensor) -> dict[str, float]:
        """Return the norm of what changed, for each layer path that has weights in both."""
        both = [(v, w, before._of[i][1]) for i, (v, w) in self._of.items() if i in before._of]
        return by_layer(self._model, [(v, w - b) for v, w, b in both])


def sync(model: keras.Model) -> None:
    """Inside `fit`, JAX holds the weights elsewhere."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def by_layer(model: keras.Model, arrays: Any) -> dict[str, float]:
    """Turn pairs of a variable and an array into a norm for each layer path within the model."""
    squares = {}
    for variable, array in arrays:
        path = variable.path.removeprefix(f"{model.name}/")  # which differs from run to run
        layer = path.rpartition("/")[0] or path
        square = np.sum(np.square(array.astype("float64")))
        squares[layer] = squares.get(layer, 0.0) + float(square)
    return {layer: s**0.5 for layer, s in squares.items()}


def first_batch(owner: object, probe: Any) -> Any:
    """`(x, y, sample_weight)` as NumPy arrays, with None for what is not there."""
    batch = probe
    if not isinstance(probe, tuple | list):
        try:
            batch = () if hasattr(probe, "shape") else next(iter(probe))
        except (TypeError, StopIteration):
            batch = ()
    try:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    except ValueError:
        x = None
    if not (hasattr(x, "shape") or isinstance(x, dict | list | tuple)):
        rule = "(x, y), (x, y, sample_weight), (x,) or a dataset of these"
        raise checks.error(owner, "probe", rule, probe, "For example: (x[:32], y[:32]).")
    return tuple(None if part is None else as_arrays(part) for part in (x, y, sample_weight))


def as_arrays(x: Tensor) -> Any:
    """One array, or a dict or list of arrays where the model has several inputs."""
    if isinstance(x, dict):
        return {name: as_arrays(a) for name, a in x.items()}
    if isinstance(x, tuple | list) and all(hasattr(a, "shape") for a in x):
        return [as_arrays(a) for a in x]
    array = keras.ops.convert_to_numpy(x) if keras.ops.is_tensor(x) else np.asarray(x)
    return array.astype(keras.backend.floatx()) if array.dtype.kind == "f" else array
