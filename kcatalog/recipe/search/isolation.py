"""A trial in a process of its own: what it takes of memory goes with it, and it may crash.

The process is the recipe's own script, started anew, which is the same on every backend. It gets
its work in `work.json` and leaves `result.json`; it ends when the search does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import keras_tuner

from kcatalog.recipe.files import rundir
from kcatalog.recipe.search.trial import Logs, Training, Work
from kcatalog.recipe.terminal.errors import RecipeError

STATM = Path("/proc/self/statm")  # in pages
GB = 1024**3


@dataclass(frozen=True)
class Isolated:
    """Runs trials in processes of their own.

    script: the recipe's.
    run: the run directory.
    devices: as on the command line.
    memory: GB that a trial may take, or None.
    cache_memory: GB of decoded files that it may hold in memory.
    """

    script: str
    run: Path
    devices: str
    memory: float | None = None
    cache_memory: float = 1.0

    def __call__(self, work: Work) -> list[Logs]:
        result, errors = work.folder / "result.json", work.folder / "stderr.txt"
        result.unlink(missing_ok=True)
        parent = {"parent": str(work.parent)} if work.parent else {}
        facts = {"trial_id": work.trial_id, "hyperparameters": work.hp.get_config(), **parent}
        rundir.write_json(work.folder / "work.json", facts)
        ended = self._start(work.folder, errors)
        if not result.exists():
            raise RecipeError(_reason(ended, errors))
        facts = rundir.read_json(result)
        found = keras_tuner.HyperParameters.from_config(facts["hyperparameters"])
        work.hp.merge(found.space, overwrite=False)  # what the model asked for besides
        work.hp.values = found.values
        errors.unlink()
        return facts["parts"]

    def _start(self, folder: Path, errors: Path) -> int:
        command = [sys.executable, self.script, "trial", str(folder), "--run-dir", str(self.run)]
        command += ["--devices", self.devices, "--debug"]
        command += ["--cache-memory", str(self.cache_memory)]
        if self.memory:
            command += ["--trial-memory", str(self.memory)]
        with (
            errors.open("wb") as stderr,
            subprocess.Popen(  # noqa: S603 - the recipe itself
                command,
                stdin=subprocess.PIPE,  # never written to: its end tells that the search ended
                stderr=stderr,
                env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
            ) as process,
        ):
            try:
                return process.wait()
            except BaseException:
                process.kill()
                raise


def _reason(ended: int, errors: Path) -> str:
    """How a process ended that left no result."""
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else ""
    if ended >= 0:
        said = last.removeprefix(f"{RecipeError.__module__}.{RecipeError.__name__}: ")
        return said or f"Its process ended with exit code {ended}."
    name = signal.Signals(-ended).name
    perhaps = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"Its process was ended by {name}{perhaps}. {last}".strip()


def work_on(training: Training, folder: Path) -> None:
    """What the process of a trial does."""
    facts = rundir.read_json(folder / "work.json")
    hp = keras_tuner.HyperParameters.from_config(facts["hyperparameters"])
    parent = Path(facts["parent"]) if "parent" in facts else None
    parts = training.run(Work(facts["trial_id"], hp, folder, parent))
    rundir.write_json(folder / "result.json", {"hyperparameters": hp.get_config(), "parts": parts})


def attend(memory: float | None) -> None:
    """End with the search, with too much memory, and before the search if memory runs out."""
    with contextlib.suppress(OSError):  # Linux: whom to end first
        Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_end_with_search, daemon=True).start()
    if memory:
        threading.Thread(target=_end_above, args=(memory,), daemon=True).start()


def _end_with_search() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _end_above(limit: float) -> None:
    while (used := memory_used()) <= limit * GB:
        time.sleep(0.1)
    print(f"It took {used / GB:.2f} GB. --trial-memory allows {limit:g}.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)


def memory_used() -> int:
    """Bytes of memory that this process occupies."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def prepare(isolate: bool, memory: float | None) -> None:
    """Before the search's own process builds a model: check what was asked for, leave room.

    TensorFlow and JAX take all of a GPU's memory when they start to use it; what they read here
    makes them take as much as they need, so that the processes of trials find some.
    """
    if memory and not isolate:
        raise RecipeError("--trial-memory needs --isolate: only a process can be ended.")
    if memory and not STATM.exists():
        raise RecipeError("--trial-memory needs Linux, which tells what memory a process takes.")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
