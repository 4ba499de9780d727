"""A trial in a process of its own: its memory goes with it, and it may crash.

The process is the recipe's own script, started anew, which works the same on every backend. It
reads its work from `work.json`, leaves `result.json`, and exits when the search does.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import keras

from kcatalog.recipe.files import rundir
from kcatalog.recipe.terminal.errors import RecipeError

STATM = Path("/proc/self/statm")  # in pages
GB = 1024**3


@dataclass(frozen=True)
class Assignment:
    """The content of `work.json`: the trial, its hyperparameters, and where it runs.

    parent: the folder of the trial that it continues, or None.
    on_cluster: whether the trial's folder is on a shared file system.
    keras: the version that the search uses.
    """

    trial_id: str
    hyperparameters: dict
    parent: str | None
    on_cluster: bool
    keras: str

    @classmethod
    def read(cls, folder: Path) -> Assignment:
        return cls(**rundir.read_json(folder / "work.json"))


def run_assigned(training, assignment: Assignment, folder: Path) -> None:
    """Run the trial and write down what it found."""
    import keras_tuner

    from kcatalog.recipe.search.trial import Work

    if keras.__version__ != assignment.keras:
        raise RecipeError(
            f"This host has Keras {keras.__version__}, the search uses {assignment.keras}. "
            "Install the same version on all hosts."
        )
    hp = keras_tuner.HyperParameters.from_config(assignment.hyperparameters)
    parent = Path(assignment.parent) if assignment.parent else None
    parts = training.run(Work(assignment.trial_id, hp, folder, parent))
    rundir.write_json(folder / "result.json", {"hyperparameters": hp.get_config(), "parts": parts})


def attend(memory: float | None) -> None:
    """Exit when the search exits or the memory limit (GB) is exceeded, and let Linux's OOM killer
    pick this process first."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_exit_with_search, daemon=True).start()
    if memory:
        threading.Thread(target=_exit_above, args=(memory,), daemon=True).start()


def _exit_with_search() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _exit_above(limit: float) -> None:
    while (used := memory_used()) <= limit * GB:
        time.sleep(0.1)
    print(f"It took {used / GB:.2f} GB. --trial-memory allows {limit:g}.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)


def memory_used() -> int:
    """Bytes of memory that this process occupies."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def prepare(isolated: bool, memory: float | None) -> None:
    """Check the options and leave memory for trials, before the search builds its first model.

    TensorFlow and JAX reserve all of a GPU's memory when they first use it, unless these variables
    are set; the processes of trials would find none.
    """
    if memory and not isolated:
        raise RecipeError(
            "--trial-memory needs trials in processes of their own: add --isolate or --parallel 2."
        )
    if memory and not STATM.exists():
        raise RecipeError("--trial-memory needs Linux, which tells what memory a process takes.")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
