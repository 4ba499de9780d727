"""The recipes that ship with kcatalog. Read as text: to list or copy them needs no Keras."""

from __future__ import annotations

import ast
import json
import re
import runpy
import statistics
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kcatalog import checks

_PACKAGE = Path(__file__).parent
# In a wheel they lie inside the package, in a checkout beside it.
FOLDERS = (_PACKAGE / "recipes", _PACKAGE.parent / "recipes")
SCORES = (
    _PACKAGE / "recipes" / "recipe_scores.json",
    _PACKAGE.parent / "benchmarks" / "results" / "recipe_scores.json",
)


# A recipe's scripts name themselves so in their docstrings, and so in their help.
_COMMAND = re.compile(r"python\srecipes/\w+\.py")
_program = None  # what runs a recipe in this process, if it is not `python`


@dataclass(frozen=True)
class Shipped:
    """A recipe's script, and what it scores on its default data.

    Attributes:
        script: the file.
        score: its row of `benchmarks/recipe_scores.py`, or None.
    """

    script: Path
    score: dict[Any, Any] | None = None

    @property
    def name(self) -> str:
        return self.script.stem

    @cached_property
    def text(self) -> str:
        return self.script.read_text(encoding="utf-8")

    @cached_property
    def about(self) -> list[str]:
        """The paragraphs of the script's docstring."""
        return (ast.get_docstring(ast.parse(self.text)) or "").split("\n\n")

    @property
    def summary(self) -> str:
        return self.about[0]

    @property
    def data(self) -> str:
        """The docstring's sentences on the default data and on one's own."""
        return " ".join(self.about[1].rstrip(":").split()) + "."

    @property
    def result(self) -> str:
        """Score, baseline and time of the default run, or an empty text."""
        if self.score is None:
            return ""
        s = self.score
        baseline = f"baseline {s['baseline']:.4g}, {s['baseline_name']}"
        mean = statistics.mean(s["scores"])  # as in the README
        return f"{s['measure']} {mean:.4g} ({baseline}); {s['minutes']:.1f} processor minutes"


def recipes() -> list[Shipped]:
    """Return all of them, sorted by name."""
    (folder, *_) = [f for f in FOLDERS if f.is_dir()] or [FOLDERS[0]]
    rows = {r["recipe"]: r for f in SCORES if f.is_file() for r in json.loads(f.read_text())}
    return [Shipped(f, rows.get(f.stem)) for f in sorted(folder.glob("*.py"))]


def find(name: str) -> Shipped:
    """Return the recipe of a name.

    Raises:
        LookupError: there is none; the message names the closest.
    """
    known = {r.name: r for r in recipes()}
    if name not in known:
        raise LookupError(f"There is no recipe {name!r}. {checks.closest(name, known)}")
    return known[name]


def program() -> str | None:
    """Return the command that runs a recipe in this process, None for python and its script."""
    return _program


def as_run(about: str) -> str:
    """Return a recipe's docstring with its commands as they are typed here."""
    return about if _program is None else _COMMAND.sub(lambda _: _program, about)


def run(recipe: Shipped, arguments: list[str]) -> None:
    """Run a recipe as `python script arguments` would, in this process."""
    global _program
    _program = f"kcatalog run {recipe.name}"
    sys.argv = [str(recipe.script), *arguments]
    runpy.run_path(str(recipe.script), run_name="__main__")


def copy(recipe: Shipped, target: Path) -> Path:
    """Write a recipe's script to a new file, or into a folder, and return the file.

    Raises:
        FileExistsError: there is such a file already.
        FileNotFoundError: there is no such folder.
    """
    file = target / recipe.script.name if target.is_dir() else target
    with file.open("x", encoding="utf-8") as new:
        new.write(_COMMAND.sub(lambda _: f"python {file.name}", recipe.text))
    return file
