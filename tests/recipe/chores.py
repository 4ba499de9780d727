"""Tasks of a forked process other than running a command (`faults.Forks`)."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kcatalog.recipe.export import loading
from kcatalog.recipe.files import disk
from kcatalog.recipe.training import checkpoint
from tests.recipe import tiny


def write_checkpoints(folder: Path) -> int:
    """Three checkpoints, one after the other, each keeping the one before."""
    for number in range(3):
        arrays = {name: np.full((50, 50), number) for name in ("a", "b")}
        progress = {"number": number}
        last, previous = folder / "last.npz", folder / "previous.npz"
        checkpoint.write(last, arrays, progress, keep=previous)
        (folder / "written").write_text(str(number))
    return 0


def hold(folder: Path) -> int:
    """Hold the folder "run" until there is a file called "release"."""
    with disk.file_lock(folder / "run"):
        (folder / "held").touch()
        wait_for((folder / "release").exists)
    return 0


def wait_for(condition: Callable, seconds: float = 900) -> None:
    """Return when a condition holds, such as that a file exists."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.005)


def answer(folder: Path) -> int:
    """Return the newest export's answers to the run's samples."""
    with np.load(folder / "run" / "samples.npz") as samples:
        answers = loading.find(tiny.recipe).outputs(samples["request"])
    np.savez(folder / "answers.npz", **{k: np.array(v.tolist()) for k, v in answers.items()})
    return 0
