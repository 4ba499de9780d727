"""Where the time of some training steps goes: a trace for TensorBoard, and the slowest operations.

TensorFlow and JAX write the same format (XSpace), PyTorch its own; each is summed up by the time
an operation spends outside the operations it calls.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import keras

from kcatalog.recipe.errors import RecipeError

SHOWN = 15  # operations
# What the profiler and the machinery around operations write of themselves.
NOISE = re.compile(
    r"\$|end: |Thread|Eager|FunctionRun|ParallelFor|Pjit|.*(::|=|<|Wait|Listener|Execut|Iterator"
    r"|_iterator|Dataset|Buffer|Prefetch)"
)


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
    """Traces some training steps, writes the trace, and tells the slowest operations."""

    def __init__(self, log_dir: Path, traced: tuple[int, int], say: Callable[[str], None]):
        super().__init__()
        self.log_dir, self.traced, self.say = Path(log_dir), traced, say
        self._step, self._running = 0, None

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._step += 1
        if self._step == self.traced[0]:
            self.log_dir.mkdir(parents=True, exist_ok=True)
            self._running = _PROFILERS[keras.backend.backend()](self.log_dir)
            self._running.start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._running and self._step == self.traced[1]:
            self._finish()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._running:
            self._finish()
        elif self._step < self.traced[0]:
            self.say(f"--profile: training ended after step {self._step}, nothing was traced.")

    def _finish(self) -> None:
        running, self._running = self._running, None
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        keras.ops.convert_to_numpy(self.model.optimizer.iterations.value)  # the steps are done
        spent = running.stop()
        count = self._step - self.traced[0] + 1
        self.say(f"Slowest operations of {count} steps:\n{as_text(spent)}")
        _write(self.log_dir, as_markdown(spent), self._step)


Spent = dict[str, tuple[int, float]]  # operation -> how often, milliseconds


def slowest(spent: Spent) -> list[tuple[str, int, float, float]]:
    """(operation, how often, milliseconds, share of all), the slowest first."""
    total = sum(ms for _, ms in spent.values()) or 1.0
    ranked = sorted(spent.items(), key=lambda item: -item[1][1])[:SHOWN]
    return [(name, count, ms, ms / total) for name, (count, ms) in ranked]


def as_text(spent: Spent) -> str:
    """The slowest operations for the terminal."""
    rows = [f"{'operation':<44} {'calls':>7} {'ms':>10} {'share':>6}"]
    for name, count, ms, share in slowest(spent):
        rows.append(f"{name[:44]:<44} {count:>7} {ms:>10.2f} {share:>6.1%}")
    return "\n".join(rows)


def as_markdown(spent: Spent) -> str:
    """The slowest operations for TensorBoard's Text tab."""
    rows = ["| operation | calls | ms | share |", "|---|---|---|---|"]
    for name, count, ms, share in slowest(spent):
        rows.append(f"| `{name}` | {count} | {ms:.2f} | {share:.1%} |")
    return "\n".join(rows)


def self_times(events: Iterable[tuple[str, float, float]]) -> Spent:
    """What each operation of one thread takes, without what it calls.

    Args:
        events: (name, begin, duration) in milliseconds.

    >>> self_times([("all", 0.0, 10.0), ("part", 2.0, 3.0), ("part", 6.0, 1.0)])
    {'all': (1, 6.0), 'part': (2, 4.0)}
    """
    spent: dict[str, list] = defaultdict(lambda: [0, 0.0])
    around: list[tuple[str, float]] = []  # (name, end) of the operations that are under way
    for name, begin, duration in sorted(events, key=lambda e: (e[1], -e[2])):
        while around and around[-1][1] <= begin:
            around.pop()
        if around:
            spent[around[-1][0]][1] -= duration
        spent[name][0] += 1
        spent[name][1] += duration
        around.append((name, begin + duration))
    return {name: (count, ms) for name, (count, ms) in spent.items()}


def read_xspace(file: Path) -> Spent:
    """What each operation takes in a trace of TensorFlow or JAX: on devices, else on the host."""
    # No public reader ships with TensorFlow; the format's own description does.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    devices = [p for p in space.planes if p.name.startswith("/device:") and p.lines]
    spent: dict[str, list] = defaultdict(lambda: [0, 0.0])
    for plane in devices or [p for p in space.planes if p.name.startswith("/host:CPU")]:
        names = {i: m.name for i, m in plane.event_metadata.items()}
        for line in plane.lines:
            events = [(names[e.metadata_id], e.offset_ps, e.duration_ps) for e in line.events]
            kept = [(_kind(n), b / 1e9, d / 1e9) for n, b, d in events if not NOISE.match(n)]
            for name, (count, ms) in self_times(kept).items():
                spent[name][0] += count
                spent[name][1] += ms
    return {name: (count, ms) for name, (count, ms) in spent.items()}


def _kind(name: str) -> str:
    """`model/conv2d/Conv2D:Conv2D` and `dot.12` by what they do."""
    return re.sub(r"[._]\d+$", "", name.rpartition(":")[2].strip() or name)


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
