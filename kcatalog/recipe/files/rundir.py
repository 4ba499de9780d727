"""Run directories: `runs/<recipe>/<number>/` holds all that one run leaves behind.

    run.json            the recipe, its data and its settings; written first
    hyperparameters.json  the best ones, once tuned
    tuning/             KerasTuner's trials
    logs/               for TensorBoard
    checkpoints/        the latest epoch, to resume from, and the one before
    model.keras         the trained model
    training.json, metrics.json, samples.npz   how training went, how good the model is

A new run takes the next number: nothing is ever written over. Every file is written beside and
renamed into place, and one process at a time writes (`kcatalog.recipe.files.disk`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError


@dataclass(frozen=True)
class Run:
    """A run directory and the facts in its `run.json`."""

    path: Path
    facts: dict

    @property
    def tuning(self) -> Path:
        return self.path / "tuning"

    @property
    def tuned(self) -> bool:
        """Whether a search has ended here; training without one notes hyperparameters, too."""
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
        """A JSON file of this run, or None where it has not been written yet."""
        file = self.path / name
        return read_json(file) if file.exists() else None

    def write(self, name: str, facts: dict) -> None:
        """Write a JSON file of this run."""
        write_json(self.path / name, facts)


@contextlib.contextmanager
def begin(recipe: str, path: Path | None, facts: dict) -> Iterator[Run]:
    """A new run, in the next numbered directory or in `path`; this process holds it."""
    facts = {"recipe": recipe, **facts}
    if path is None:
        path = _next_number(Path("runs") / recipe)
    else:
        path.mkdir(parents=True, exist_ok=True)
    with disk.file_lock(path):
        check_new(path)
        write_json(path / "run.json", facts)
        yield Run(path, facts)


def check_new(path: Path | None) -> None:
    """Refuse a place for a new run where something is."""
    if path and path.exists() and not (path.is_dir() and disk.empty(path)):
        raise RecipeError(
            f"--run-dir must be a new or empty directory for a new run. Received: {path}. "
            "Add --resume to go on with the run in it, or choose another directory."
        )


def find(recipe: str, path: Path | None) -> Run | None:
    """The run in `path`, or the newest run of the recipe; None if there is none."""
    if path is None:
        numbers = _numbers(Path("runs") / recipe)
        if not numbers:
            return None
        path = Path("runs") / recipe / str(max(numbers))
    file = path / "run.json"
    if not file.exists():
        if not path.exists() or (path.is_dir() and disk.empty(path)):
            return None
        raise RecipeError(f"{path} must be a run directory. Received: no run.json in it.")
    facts = read_json(file)
    if "recipe" not in facts or "settings" not in facts:
        raise RecipeError(f"{file} is damaged: it names no recipe. Start a new run.")
    if facts["recipe"] != recipe:
        raise RecipeError(
            f"{path} must hold a run of {recipe}. Received: a run of {facts['recipe']}. "
            "Choose another --run-dir."
        )
    return Run(path, facts)


def read_json(file: Path, remedy: str = "Start a new run.") -> dict:
    """A JSON file that holds an object; what to do where it does not."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise RecipeError(f"{file} is damaged: {e}. {remedy}") from e
    if not isinstance(facts, dict):
        raise RecipeError(f"{file} is damaged: it must hold an object. {remedy}")
    return facts


def write_json(file: Path, facts: dict) -> None:
    """No reader sees half of it."""
    with disk.atomic_write(file) as beside:
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        beside.write_text(text, encoding="utf-8")


def _numbers(folder: Path) -> list[int]:
    """Numbered directories; those without a run.json were claimed by a run that never began."""
    if not folder.is_dir():
        return []
    return [int(d.name) for d in folder.iterdir() if d.name.isdigit() and (d / "run.json").exists()]


def _next_number(folder: Path) -> Path:
    """Create the next numbered directory; another process may claim one at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(d.name) for d in folder.iterdir() if d.name.isdigit()), default=0)
    while True:
        number += 1
        try:
            (folder / str(number)).mkdir()
        except FileExistsError:
            continue
        return folder / str(number)
