"""Tasks: the kinds of problems that recipes solve, one class each."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcatalog.recipe.data.files import take
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.tasks.binary import Binary
from kcatalog.recipe.tasks.classification import Classification
from kcatalog.recipe.tasks.embedding import Embedding
from kcatalog.recipe.tasks.forecast import Forecast
from kcatalog.recipe.tasks.multi_label import MultiLabel
from kcatalog.recipe.tasks.next_character import NextCharacter
from kcatalog.recipe.tasks.objective import Objective, higher_is_better, objective
from kcatalog.recipe.tasks.regression import Regression
from kcatalog.recipe.tasks.segmentation import Segmentation
from kcatalog.recipe.tasks.tagging import Tagging
from kcatalog.recipe.tasks.task import Task
from kcatalog.recipe.tasks.translation import Translation
from kcatalog.recipe.terminal.errors import RecipeError

__all__ = [
    "Binary",
    "Classification",
    "Embedding",
    "Forecast",
    "MultiLabel",
    "NextCharacter",
    "Objective",
    "Regression",
    "Segmentation",
    "Tagging",
    "Task",
    "Translation",
    "higher_is_better",
]

_KNOWN = (
    Classification(),
    Binary(),
    MultiLabel(),
    Regression(),
    NextCharacter(),
    Embedding(),
    Forecast(),
    Segmentation(),
    Translation(),
    Tagging(),
)
TASKS = {task.name: task for task in _KNOWN}


def named(name: str) -> Task:
    """Return the task that a source, a run record or a manifest names."""
    if name not in TASKS:
        raise RecipeError(
            f"The task {name!r} is none of {', '.join(map(repr, TASKS))}. "
            "Give the recipe your own task: Recipe(..., task=YourTask())."
        )
    return TASKS[name]


def of(data: Any) -> Task:
    """Return the task of some data."""
    return data.task if isinstance(data.task, Task) else named(data.task)


def of_recipe(recipe, info) -> Task:
    """Return the task of a recipe whose data are described by `info`."""
    return recipe.task or named(info.task)


def objective_of(recipe, data: Any) -> Objective:
    """Return the objective that a recipe states, or its task's."""
    task = of(data)
    return objective(recipe.objective or task.objective, task.reported)


def batches_of(data: Any, hp: Any, batch_size: int, seed: int, shard: tuple[int, int] = (0, 1)):
    """Return the batches of the training split (`Task.batches`)."""
    return of(data).batches(data, hp, batch_size, seed, shard)


def steps_per_epoch(data: Any, batch_size: int) -> int:
    """Return how many batches an epoch has, for schedules."""
    return of(data).steps_per_epoch(data, batch_size)


def requests(data: Any, places: Any) -> np.ndarray:
    """Return test samples in the form in which requests to an export carry them."""
    if data.requests is not None:
        return data.requests[places]
    return of(data).request(take(data.test[0], places))


def validation_logs(model: Any, data: Any) -> dict[str, float]:
    """Return the metrics of the validation split that an epoch's logs would contain now."""
    results = pipeline.evaluate(model, *data.validation)
    logs = {f"val_{k}": v for k, v in results.items()}
    for callback in of(data).validation_callbacks(data):
        callback.set_model(model)
        callback.on_epoch_end(0, logs)
    return logs
