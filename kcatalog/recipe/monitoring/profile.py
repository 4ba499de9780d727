"""Where the time of some training steps goes: a trace for TensorBoard, and the slowest operations.

Every backend's own profiler writes the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from kcatalog.callbacks.periodic import steps_ahead
from kcatalog.recipe.monitoring.operations import Spent, as_markdown, as_text, read_xspace
from kcatalog.recipe.terminal.errors import RecipeError


def steps(text: str) -> tuple[int, int]:
    """`--profile 10-20` as the first and last step.

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
    """Traces some training steps, writes the trace, and tells the slowest operations.

    With `steps_per_execution` it traces whole executions, from the second one on.
    """

    def __init__(self, log_dir: Path, traced: tuple[int, int], say: Callable[[str], None]):
        super().__init__()
        self.log_dir, self.traced, self.say = Path(log_dir), traced, say
        self._step, self._before, self._running = 0, None, None

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._ahead = steps_ahead(self, batch)
        compiled = self._step > 0
        if self._before is None and compiled and self._step + self._ahead >= self.traced[0]:
            self._before = self._step
            self.log_dir.mkdir(parents=True, exist_ok=True)
            self._running = _PROFILERS[keras.backend.backend()](self.log_dir)
            self._running.start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._step += self._ahead
        if self._running and self._step >= self.traced[1]:
            self._finish()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._running:
            self._finish()
        elif self._before is None:
            self.say(f"--profile: training ended after step {self._step}, nothing was traced.")

    def _finish(self) -> None:
        running, self._running = self._running, None
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        keras.ops.convert_to_numpy(self.model.optimizer.iterations)  # the steps are done
        spent = running.stop()
        count = self._step - self._before
        self.say(f"Slowest operations of {count} steps:\n{as_text(spent)}")
        _write(self.log_dir, as_markdown(spent), self._step)


class _TensorFlow:
    def __init__(self, folder: Path):
        self.folder = folder

    def start(self) -> None:
        import tensorflow as tf

        quiet = tf.profiler.experimental.ProfilerOptions(python_tracer_level=0)
        tf.profiler.experimental.start(str(self.folder), quiet)

    def stop(self) -> Spent:
        import tensorflow as tf

        tf.profiler.experimental.stop()
        return read_xspace(_newest(self.folder, "*.xplane.pb"))


class _JAX(_TensorFlow):
    def start(self) -> None:
        import jax

        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        jax.profiler.start_trace(str(self.folder), profiler_options=options)

    def stop(self) -> Spent:
        import jax

        jax.profiler.stop_trace()
        return read_xspace(_newest(self.folder, "*.xplane.pb"))


class _PyTorch:
    def __init__(self, folder: Path):
        import torch

        self.trace = torch.profiler.profile(
            on_trace_ready=torch.profiler.tensorboard_trace_handler(str(folder))
        )

    def start(self) -> None:
        self.trace.start()

    def stop(self) -> Spent:
        self.trace.stop()
        averages = self.trace.key_averages()
        on_device = any(e.self_device_time_total for e in averages)
        return {
            e.key: (
                e.count,
                (e.self_device_time_total if on_device else e.self_cpu_time_total) / 1e3,
            )
            for e in averages
        }


_PROFILERS = {"tensorflow": _TensorFlow, "jax": _JAX, "torch": _PyTorch}


def _newest(folder: Path, pattern: str) -> Path:
    return max(folder.rglob(pattern), key=lambda file: file.stat().st_mtime)


def _write(log_dir: Path, table: str, step: int) -> None:
    import tensorflow as tf

    with tf.device("CPU:0"), tf.summary.create_file_writer(str(log_dir)).as_default():
        tf.summary.text("slowest operations", table, step=step)
