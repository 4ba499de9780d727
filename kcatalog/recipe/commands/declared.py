"""Declarations of a recipe, as its run stored them, compared with those of its script now."""

from __future__ import annotations

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.files import rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.search import hyperparameters
from kcatalog.recipe.terminal.errors import RecipeError


def record(recipe, data: Data, hp) -> dict:
    """Return what a run stores beside its settings: by what trials are compared, and the space."""
    return {
        "epochs": recipe.epochs,
        "trials": recipe.trials,
        "trial_epochs": recipe.trial_epochs,
        "batch_size": recipe.batch_size,
        "objective": str(tasks.objective_of(recipe, data)),
        "space": hyperparameters.described(hp),
    }


def check_search(recipe, run: Run, data: Data, hp) -> None:
    """Refuse to continue a search with trials that cannot be compared with the earlier ones."""
    if not run.tuning.exists():
        return
    was, now = run.facts["declared"], record(recipe, data, hp)
    spaces = {**was["space"], **now["space"]}  # in the order of `build`
    changes = [
        *_changes(was, now, ("batch_size", "objective")),
        *_changes(was["space"], now["space"], spaces),
    ]
    if changes:
        raise RecipeError(
            f"{'; '.join(changes)}. Trials before and after cannot be compared. Undo the change to "
            f"go on with the search. {rundir.anew(run.path)}"
        )


def check_training(recipe, run: Run, data: Data, hp) -> list[str]:
    """Return what has changed since the run began. Refuse changes that the training cannot follow.

    Args:
        hp: the hyperparameters to train with, as `build` asks for them now.
    """
    was, now = run.facts["declared"], record(recipe, data, hp)
    other = [  # names that one space alone has may be conditional
        name for name, words in now["space"].items() if was["space"].get(name, words) != words
    ]
    changes = _changes(was, now, ("batch_size", "objective"))
    fatal = changes if run.checkpoints.exists() else hyperparameters.not_offered(hp, other)
    changes = changes + _changes(was["space"], now["space"], other)
    if fatal:
        reasons = dict.fromkeys([*changes, *fatal])
        raise RecipeError(
            f"{'; '.join(reasons)}. Undo the change to go on. {rundir.anew(run.path)}"
        )
    return changes


def _changes(was: dict, now: dict, names) -> list[str]:
    return [
        f"{name} was {was.get(name, 'not tuned')} when the run began, and is "
        f"{now.get(name, 'not tuned')} now"
        for name in names
        if was.get(name) != now.get(name)
    ]
