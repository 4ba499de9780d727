"""The metric by which trials and epochs are compared, and its direction."""

from __future__ import annotations

from kcatalog import registry
from kcatalog.recipe.terminal.errors import RecipeError


class Objective(str):
    """The name of the metric to choose by; `higher` says whether more of it is better."""

    higher: bool


def objective(stated: str | tuple[str, str], reported: dict[str, str] | None = None) -> Objective:
    """Return a recipe's objective: a known metric, or one with its direction.

    Args:
        stated: such as "val_mae", or ("val_profit", "max").
        reported: further known metrics and their directions, which a task reports.

    >>> objective("val_mae").higher, objective(("val_profit", "max")).higher
    (False, True)
    """
    name, direction = (stated, None) if isinstance(stated, str) else stated
    if direction is None and (reported or {}).get(name):
        direction = reported[name]
    higher = registry.higher_is_better(name) if direction is None else direction == "max"
    if higher is None or direction not in (None, "max", "min"):
        raise RecipeError(
            "Recipe.objective must be a metric of Keras or kcatalog under its own name, or say "
            "whether more is better, as in ('val_profit', 'max') or ('val_cost', 'min'). "
            f"Received: {stated!r}."
        )
    found = Objective(name)
    found.higher = higher
    return found


def higher_is_better(name: str) -> bool:
    """Return whether more of an objective is better.

    >>> higher_is_better("val_accuracy"), higher_is_better("val_loss")
    (True, False)
    """
    return (name if isinstance(name, Objective) else objective(name)).higher
