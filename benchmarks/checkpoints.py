"""Measure what a checkpoint costs, and how much of that is waiting for the disk.

    python benchmarks/checkpoints.py [folder]

Checkpoints of several sizes, with and without `fsync`, in turn, so that both meet the same machine.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from kcatalog.recipe.files import disk
from kcatalog.recipe.training import checkpoint

TURNS = 15
MEGABYTES = (0.1, 1, 10, 100)


def seconds(folder: Path, arrays: dict) -> float:
    """One epoch's checkpoint, keeping the one before."""
    begin = time.perf_counter()
    checkpoint.write(folder / "last.npz", arrays, {}, keep=folder / "previous.npz")
    return time.perf_counter() - begin


def main() -> None:
    place = sys.argv[1] if len(sys.argv) > 1 else None
    sync = disk.sync
    print("MB       with fsync [ms]   without [ms]")
    for size in MEGABYTES:
        arrays = {f"a{i}": np.ones(int(size * 2**20 / 80)) for i in range(10)}
        taken = {"with": [], "without": []}
        with tempfile.TemporaryDirectory(dir=place) as folder:
            for turn in range(2 * TURNS):
                how = ("with", "without")[turn % 2]
                disk.sync = sync if how == "with" else lambda file: None
                taken[how].append(1000 * seconds(Path(folder), arrays))
        disk.sync = sync
        medians = {how: statistics.median(values) for how, values in taken.items()}
        print(f"{size:<8g} {medians['with']:>15.1f} {medians['without']:>14.1f}")


if __name__ == "__main__":
    main()
