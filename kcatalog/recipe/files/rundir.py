"""Run directories: `runs/<recipe>/<number>/` holds the files of one run.

    record.json           the engine's notes on data, split and search space; written first
    run.toml              recipe, options, versions, and the hyperparameters once they are known
    split.json            files of each part, where samples are files
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
from typing import Any

from kcatalog.recipe.files import disk, run_toml
from kcatalog.recipe.terminal.errors import RecipeError

RECORD = "record.json"


@dataclass(frozen=True)
class Run:
    """A run directory, and the content of its `run.toml` and `record.json`."""

    path: Path
    facts: dict[Any, Any]

    @property
    def tuning(self) -> Path:
        return self.path / "tuning"

    @property
    def tuned(self) -> bool:
        """Return whether a search has ended here; training alone writes hyperparameters, too."""
        return self.tuning.exists() and self.hyperparameters is not None

    @property
    def hyperparameters(self) -> dict[Any, Any] | None:
        """The best ones of the search, or those of the training; None before both."""
        return self.facts.get("hyperparameters")

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

    def read(self, name: str) -> dict[Any, Any] | None:
        """Read a JSON file of this run; None if it has not been written yet."""
        file = self.path / name
        return read_json(file) if file.exists() else None

    def write(self, name: str, facts: dict[Any, Any]) -> None:
        """Write a JSON file of this run."""
        write_json(self.path / name, facts)

    def update(self, **facts) -> None:
        """Change facts, here and in their files. `run.toml` is written last, and then counts."""
        self.facts.update(facts)
        shown = run_toml.KEYS.values()
        self.write(RECORD, {k: v for k, v in self.facts.items() if k not in shown})
        run_toml.write(self.path / run_toml.NAME, self.facts)


@contextlib.contextmanager
def begin(recipe: str, path: Path | None, facts: dict[Any, Any]) -> Iterator[Run]:
    """Create and lock a run, in the next numbered directory or in `path`."""
    facts = {"recipe": recipe, **facts}
    if path is None:
        path = _next_number(Path("runs") / recipe)
    else:
        path.mkdir(parents=True, exist_ok=True)
    with disk.file_lock(path):
        check_new(path)
        run = Run(path, {})
        run.update(**facts)
        yield run


def anew(place: Path) -> str:
    """Return the advice to start a new run beside the one that `place` belongs to.

    `train` without --resume continues a tuned run: only another --run-dir is always a new run.
    """
    run = next((p for p in (place, *place.parents) if _begun(p)), place)
    name, numbered = run.name, run.name.isdigit()
    names = (str(int(name) + i) if numbered else f"{name}-{i + 1}" for i in itertools.count(1))
    free = next(path for n in names if not (path := run.with_name(n)).exists())
    return f"To start a new run, leave out --resume and add --run-dir {shlex.quote(str(free))}."


def check_new(path: Path | None) -> None:
    """Refuse a path for a new run that is a file or a directory with content."""
    if path and path.exists() and not _empty(path):
        raise RecipeError(
            f"--run-dir {path} is not an empty directory. Choose another directory"
            f"{', or add --resume to continue the run in it' if _begun(path) else ''}."
        )


def _begun(path: Path) -> bool:
    return (path / run_toml.NAME).exists()


def _empty(path: Path) -> bool:
    """Return whether a path is a directory without content. A run that was killed before its
    `run.toml` was written has none."""
    return path.is_dir() and disk.empty(path, but=() if _begun(path) else (RECORD,))


def find(recipe: str, path: Path | None) -> Run | None:
    """Return the run in `path`, or the newest run of the recipe; None if there is none."""
    if path is None:
        numbers = _numbers(Path("runs") / recipe)
        if not numbers:
            return None
        path = Path("runs") / recipe / str(max(numbers))
    if not _begun(path):
        if not path.exists() or _empty(path):
            return None
        raise RecipeError(
            f"{path} is not a run directory: it has no {run_toml.NAME}. Choose another --run-dir."
        )
    file = path / run_toml.NAME
    try:
        shown = run_toml.facts_of(run_toml.read(file))
    except RecipeError as e:
        raise RecipeError(f"{e} {anew(file)}") from e
    facts = {**read_json(path / RECORD), **shown}
    if "recipe" not in facts or not isinstance(facts.get("settings"), dict):
        raise RecipeError(f"{file} is damaged: it names no recipe. {anew(path)}")
    if facts["recipe"] != recipe:
        raise RecipeError(
            f"{path} holds a run of {facts['recipe']}, not of {recipe}. Choose another --run-dir."
        )
    return Run(path, facts)


def read_json(file: Path, remedy: str | None = None) -> dict[Any, Any]:
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


def write_json(file: Path, facts: dict[Any, Any]) -> None:
    """Write a JSON file atomically."""
    with disk.atomic_write(file) as beside:
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        beside.write_text(text, encoding="utf-8")


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of runs that have begun."""
    if not folder.is_dir():
        return []
    return [int(d.name) for d in folder.iterdir() if d.name.isdigit() and _begun(d)]


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
