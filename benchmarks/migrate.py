"""Time `kcatalog migrate` on a tree of programs: `python benchmarks/migrate.py --files 1000`.

By default a tenth of the files use TensorFlow Addons, as in a project of some size; `--share 1` is
the worst case. The programs are those of `tests/migrate/corpus`, made longer by code without it.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kcatalog.migrate import report, run

CORPUS = Path(__file__).parent.parent / "tests" / "migrate" / "corpus" / "before"
FILLER = """

def layer_{n}(x, units={n}, activation="relu"):
    \"\"\"Return the output of one layer.\"\"\"
    y = tf.keras.layers.Dense(units, activation=activation, name=f"dense_{n}")(x)
    y = tf.keras.layers.Dropout(0.1 * {n})(y)
    return [value for value in (x, y) if value is not None]
"""


def fill(folder: Path, files: int, share: float, lines: int):
    """Write a tree of programs."""
    programs = [f.read_text(encoding="utf-8") for f in sorted(CORPUS.glob("*.py"))]
    filler = "".join(FILLER.format(n=n) for n in range(1, 1 + lines // FILLER.count("\n")))
    for i in range(files):
        used = i < files * share
        text = programs[i % len(programs)] if used else "import tensorflow as tf\n"
        file = folder / f"part_{i % 25}" / f"module_{i}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text + filler, encoding="utf-8")


def main():
    """Fill a folder, migrate it in memory and on the disk, and print how long that takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.1, help="of files that use the library")
    parser.add_argument("--lines", type=int, default=200, help="of a file, about")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Progress(console=Console(stderr=True)) as bar:
        fill(Path(folder), args.files, args.share, args.lines)
        task = bar.add_task("Migrating", total=None)
        wall, before = time.perf_counter(), os.times()
        outcomes = run.run(
            [Path(folder)],
            run.Options(("tensorflow_addons",)),
            lambda n, of: bar.update(task, completed=n, total=of),
        )
        outcomes = [run.write(o) if o.changed else o for o in outcomes]
        wall, times = time.perf_counter() - wall, os.times()
    own, workers = (sum(times[i : i + 2]) - sum(before[i : i + 2]) for i in (0, 2))
    print(report.summary(outcomes, written=True))
    print(f"{args.files} files: {wall:.1f} s on this machine as it is")
    print(f"Processor time: {own:.1f} s here and {workers:.1f} s in workers, which share it")
    print(f"On two free cores: {own + workers / min(2, os.cpu_count() or 1):.1f} s")


if __name__ == "__main__":
    main()
