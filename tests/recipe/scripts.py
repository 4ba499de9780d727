"""Recipes' scripts, imported from their files."""

import importlib.util
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "recipes"


def imported(name: str, folder: Path = RECIPES):
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
