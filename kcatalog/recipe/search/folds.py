"""Stratified folds: every sample of training and validation part is validated on once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import join, take
from kcatalog.recipe.terminal.errors import RecipeError


def check(data: Data, count: int) -> None:
    """Check that the data can be divided into this number of folds."""
    labels = data.train[1]
    if not tasks.of(data).stratified or np.ndim(labels) != 1:
        raise RecipeError(
            f"--folds must be left out for {data.name}: folds need one label per sample, and the "
            f"task is {str(data.task)!r}."
        )
    counts = np.bincount(np.concatenate([labels, data.validation[1]]))
    fewest = int(np.argmin(counts))
    if counts[fewest] < count:
        raise RecipeError(
            f"--folds must be at most {counts[fewest]}, as many as class "
            f"{data.classes[fewest]!r} has samples to train and validate. Received: {count}."
        )


def parts(data: Data, count: int, seed: int) -> Iterator[Data]:
    """Return the data once for each fold, which is the validation part; the test part stays."""
    from sklearn.model_selection import StratifiedKFold

    x = join(data.train[0], data.validation[0])
    y = np.concatenate([data.train[1], data.validation[1]])
    cut = StratifiedKFold(count, shuffle=True, random_state=seed)
    for kept, held in cut.split(np.zeros(len(y)), y):
        train, validation = (take(x, kept), y[kept]), (take(x, held), y[held])
        yield dataclasses.replace(data, train=train, validation=validation)
