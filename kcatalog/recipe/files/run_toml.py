"""`run.toml`: the part of a run's facts that a user reads and may run again (`--config`)."""

from __future__ import annotations

import contextlib
import platform
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli_w

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError

NAME = "run.toml"
HEADER = f"# To run this again, add: --config {NAME}\n"
# The keys of the file, and the names of these facts in the engine
KEYS = {
    "recipe": "recipe",
    "command": "command",
    "data_sha256": "began",
    "options": "settings",
    "hyperparameters": "hyperparameters",
    "versions": "versions",
}


def text(facts: dict[Any, Any]) -> str:
    """Return the file's text. TOML has no null: options that are None are left out."""
    found = {key: facts[name] for key, name in KEYS.items() if facts.get(name) is not None}
    for key, value in found.items():
        if isinstance(value, dict):
            found[key] = {name: each for name, each in value.items() if each is not None}
    return HEADER + tomli_w.dumps(found)


def write(file: Path, facts: dict[Any, Any]) -> None:
    """Write the file atomically."""
    with disk.atomic_write(file) as beside:
        beside.write_text(text(facts), encoding="utf-8")


def read(file: Path) -> dict[Any, Any]:
    """Return the file's tables, with the names of its keys.

    Raises:
        RecipeError: it cannot be read, or is no TOML. The message ends in the reason.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise RecipeError(f"{file} is damaged: {e}.") from e


def facts_of(tables: dict[Any, Any]) -> dict[Any, Any]:
    """Return the file's facts with their names in the engine."""
    return {name: tables[key] for key, name in KEYS.items() if key in tables}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
