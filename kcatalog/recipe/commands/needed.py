"""Checks, before the first trial, of what the steps after it need."""

from __future__ import annotations

import dataclasses
import os
import shutil
import warnings
from pathlib import Path

from kcatalog.recipe.data import Data
from kcatalog.recipe.data.base import need
from kcatalog.recipe.data.files import some
from kcatalog.recipe.data.findings import PARTS, Finding
from kcatalog.recipe.export import versions
from kcatalog.recipe.monitoring import pictures, profile
from kcatalog.recipe.terminal.errors import RecipeError

FEW = 32  # samples of a part on which a baseline is tried
COPIES = 8  # of the weights in a trial's checkpoints: itself, an optimizer's two, the best; twice


def packages(recipe, settings: dict, data: Data) -> None:
    """Refuse a run whose pictures, folds, search or baseline need a package that is missing."""
    if pictures.of(data, at_the_end=True):
        need("matplotlib", "matplotlib")
        need("sklearn", "scikit-learn")
    if settings["folds"] > 1 or settings["tuner"] == "bayesian":
        need("sklearn", "scikit-learn")
    baseline(recipe, data)


def baseline(recipe, data: Data) -> None:
    """Refuse a baseline that cannot be scored.

    A few samples show that it works, at next to no cost. All of them are used only where it fails
    on few, as some baselines may.
    """
    try:
        few = {part: some(*getattr(data, part), FEW) for part in PARTS}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the few samples
            _scored(recipe, dataclasses.replace(data, **few))
    except Exception:
        try:
            _scored(recipe, data)
        except RecipeError:
            raise
        except Exception as e:
            raise RecipeError(
                f"The recipe's baseline fails: {type(e).__name__}: {e}. Correct it: the trained "
                "model is compared with it."
            ) from e


def _scored(recipe, data: Data) -> None:
    _, score = recipe.baseline(data)
    float(score)


def space(model, trials: int, folder: Path) -> list[Finding]:
    """Warn where the disk has less room than the checkpoints of `trials` trials may take."""
    wanted, free = 4 * model.count_params() * COPIES * trials, shutil.disk_usage(folder).free
    if wanted <= free:
        return []
    text = f"checkpoints take up to {wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
    return [Finding("disk", text, warning=True)]


def profiled(asked: str | None, hp, epochs: int, steps: int) -> None:
    """Refuse to profile steps that the training will not reach, unless its length is tuned."""
    if asked is None or {"epochs", "batch_size"} & {h.name for h in hp.space}:
        return
    if profile.steps(asked)[0] > epochs * steps:
        raise RecipeError(
            f"--profile {asked}: the training has {epochs * steps} steps. Choose earlier ones, "
            "such as --profile 2."
        )


def place(recipe: str) -> None:
    """Refuse to start where the export could not be written."""
    wanted = versions.of(recipe).absolute()
    there = next(path for path in (wanted, *wanted.parents) if path.exists())
    if not there.is_dir():
        reason = "is not a directory. Rename it"
    elif not os.access(there, os.W_OK):
        reason = "cannot be written. Allow it"
    else:
        return
    raise RecipeError(f"Exports go to {wanted}, but {there} {reason}, or start elsewhere.")
