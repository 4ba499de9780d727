"""The backend's own profiler, for some training steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kcatalog.callbacks.periodic import steps_ahead
from kcatalog.recipe.terminal.errors import RecipeError


def steps(text: str) -> tuple[int, int]:
    """Return the first and last step of `--profile 10-20`.

    >>> steps("10-20"), steps("5")
    ((10, 20), (5, 5))
    """
    first, _, last = text.partition("-")
    try:
        found = int(first), int(last or first)
    except ValueError:
        found = (0, 0)
    if not 1 < found[0] <= found[1]:
        raise RecipeError(
            "--profile must be a step or a range of steps from 2 on (the first one compiles), such "
            f"as 10-20. Received: {text!r}."
        )
    return found


class Profile(keras.callbacks.Callback):
    """Profiler of some training steps, which writes a trace and names the tool that reads it.

    With `steps_per_execution` it traces whole executions, from the second one on.
    """

    def __init__(self, log_dir: Path, traced: tuple[int, int], report: Callable[[str], None]):
        super().__init__()
        self.log_dir, self.traced, self.report = Path(log_dir), traced, report
        self._step, self._first, self._stop = 0, None, None

    def on_train_batch_begin(self, batch: int, logs: dict[Any, Any] | None = None) -> None:
        self._ahead = steps_ahead(self, batch)
        compiled = self._step > 0
        if self._first is None and compiled and self._step + self._ahead >= self.traced[0]:
            self._first = self._step + 1
            self.log_dir.mkdir(parents=True, exist_ok=True)
            self._stop = _PROFILERS[keras.backend.backend()](str(self.log_dir))

    def on_train_batch_end(self, batch: int, logs: dict[Any, Any] | None = None) -> None:
        self._step += self._ahead
        if self._stop and self._step >= self.traced[1]:
            self._finish()

    def on_train_end(self, logs: dict[Any, Any] | None = None) -> None:
        if self._stop:
            self._finish()
        elif self._first is None:
            self.report(f"--profile: training ended after step {self._step}, nothing was traced.")

    def _finish(self) -> None:
        stop, self._stop = self._stop, None
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        keras.ops.convert_to_numpy(self.model.optimizer.iterations)  # wait until the steps are done
        stop()
        self.report(
            f"Traced steps {self._first} to {self._step} into {self.log_dir}. "
            f"{_READERS[keras.backend.backend()]}"
        )


# Each starts the backend's profiler and returns the function that stops it and writes the trace.


def _tensorflow(folder: str) -> Callable[[], None]:
    import tensorflow as tf

    quiet = tf.profiler.experimental.ProfilerOptions(python_tracer_level=0)
    tf.profiler.experimental.start(folder, quiet)
    return tf.profiler.experimental.stop


def _jax(folder: str) -> Callable[[], None]:
    import jax

    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    jax.profiler.start_trace(folder, profiler_options=options)
    return jax.profiler.stop_trace


def _torch(folder: str) -> Callable[[], None]:
    import torch

    profiler = torch.profiler.profile(
        on_trace_ready=torch.profiler.tensorboard_trace_handler(folder)
    )
    profiler.start()
    return profiler.stop


_PROFILERS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
_XPROF = "Read it in TensorBoard's Profile tab, which `pip install xprof` adds."
_READERS = {
    "tensorflow": _XPROF,
    "jax": _XPROF,
    "torch": "Open the .pt.trace.json file at https://ui.perfetto.dev.",
}
