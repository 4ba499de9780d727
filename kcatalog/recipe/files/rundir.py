"""Run directories: `runs/<recipe>/<number>/` holds the files of one run.

    run.json              recipe, data and settings; written first
    split.json            files of each part, where samples are files
    hyperparameters.json  the best ones, after the search
    tuning/               KerasTuner's trials
    logs/                 for TensorBoard
    checkpoints/          the newest epoch, to resume from, and the one before
    model.keras           the trained model
    training.json         epochs, history and parts of the training
    metrics.json, samples.npz   scores and predictions on the test split

A new run takes the next number and never overwrites an older one. Files are written atomically, and
one process at a time writes (`kcatalog.recipe.files.disk`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError


@dataclass(frozen=True)
class Run:
    """A run directory and the content of its `run.json`."""

    path: Path
    facts: dict

    @property
    def tuning(self) -> Path:
        return self.path / "tuning"

    @property
    def tuned(self) -> bool:
        """Return whether a search has ended here; training alone writes hyperparameters, too."""
        return self.tuning.exists() and (self.path / "hyperparameters.json").exists()

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model.keras"

    @property
    def samples(self) -> Path:
        return self.path / "samples.npz"

    def read(self, name: str) -> dict | None:
        """Read a JSON file of this run; None if it has not been written yet."""
        file = self.path / name
        return read_json(file) if file.exists() else None

    def write(self, name: str, facts: dict) -> None:
        """Write a JSON file of this run."""
        write_json(self.path / name, facts)


@contextlib.contextmanager
def begin(recipe: str, path: Path | None, facts: dict) -> Iterator[Run]:
    """Create and lock a run, in the next numbered directory or in `path`."""
    facts = {"recipe": recipe, **facts}
    if path is None:
        path = _next_number(Path("runs") / recipe)
    else:
        path.mkdir(parents=True, exist_ok=True)
    with disk.file_lock(path):
        check_new(path)
        write_json(path / "run.json", facts)
        yield Run(path, facts)


def anew(place: Path) -> str:
    """Return the advice to start a new run beside the one that `place` belongs to.

    `train` without --resume continues a tuned run: only another --run-dir is always a new run.
    """
    run = next((p for p in (place, *place.parents) if (p / "run.json").exists()), place)
    name, numbered = run.name, run.name.isdigit()
    names = (str(int(name) + i) if numbered else f"{name}-{i + 1}" for i in itertools.count(1))
    free = next(path for n in names if not (path := run.with_name(n)).exists())
    return f"To start a new run, leave out --resume and add --run-dir {shlex.quote(str(free))}."


def check_new(path: Path | None) -> None:
    """Refuse a path for a new run that is a file or a directory with content."""
    if path and path.exists() and not (path.is_dir() and disk.empty(path)):
        resumable = (path / "run.json").exists()
        raise RecipeError(
            f"--run-dir {path} is not an empty directory. Choose another directory"
            f"{', or add --resume to continue the run in it' if resumable else ''}."
        )


def find(recipe: str, path: Path | None) -> Run | None:
    """Return the run in `path`, or the newest run of the recipe; None if there is none."""
    if path is None:
        numbers = _numbers(Path("runs") / recipe)
        if not numbers:
            return None
        path = Path("runs") / recipe / str(max(numbers))
    file = path / "run.json"
    if not file.exists():
        if not path.exists() or (path.is_dir() and disk.empty(path)):
            return None
        raise RecipeError(
            f"{path} is not a run directory: it has no run.json. Choose another --run-dir."
        )
    facts = read_json(file)
    if "recipe" not in facts or "settings" not in facts:
        raise RecipeError(f"{file} is damaged: it names no recipe. {anew(path)}")
    if facts["recipe"] != recipe:
        raise RecipeError(
            f"{path} holds a run of {facts['recipe']}, not of {recipe}. Choose another --run-dir."
        )
    return Run(path, facts)


def read_json(file: Path, remedy: str | None = None) -> dict:
    """Read a JSON object; `remedy` ends the error message where the file is damaged.

    By default it is a new run.
    """
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise RecipeError(f"{file} is damaged: {e}. {remedy or anew(file)}") from e
    if not isinstance(facts, dict):
        raise RecipeError(f"{file} is damaged: it must hold an object. {remedy or anew(file)}")
    return facts


def write_json(file: Path, facts: dict) -> None:
    """Write a JSON file atomically."""
    with disk.atomic_write(file) as beside:
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        beside.write_text(text, encoding="utf-8")


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of runs; a directory without run.json is of a run that never began."""
    if not folder.is_dir():
        return []
    return [int(d.name) for d in folder.iterdir() if d.name.isdigit() and (d / "run.json").exists()]


def _next_number(folder: Path) -> Path:
    """Create the next numbered directory, whatever other processes create at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(d.name) for d in folder.iterdir() if d.name.isdigit()), default=0)
    while True:
        number += 1
        try:
            (folder / str(number)).mkdir()
        except FileExistsError:
            continue
        return folder / str(number)
