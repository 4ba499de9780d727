"""The target of a table: which column is predicted, and the task and labels that it makes."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np

from kcatalog.recipe.data import cells
from kcatalog.recipe.data.delimited import Table
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.terminal.errors import RecipeError

FEWEST_OF_CLASS = 3
MOST_CLASSES = 100  # of texts
MOST_COUNTED = 20  # different whole numbers that are read as classes


def chosen(table: Table, wanted: str | None) -> list[str]:
    """Return the names of the target columns."""
    if len(table.names) < 2:
        raise RecipeError(
            f"{table.name} must have a target and at least one other column. "
            f"Received: {listed(map(repr, table.names))}."
        )
    twice = [n for n, count in collections.Counter(table.names).items() if count > 1]
    if twice:
        raise RecipeError(
            f"{table.name} must have a different name for each column. Received: {twice[0]!r} more "
            "than once. Rename one of them."
        )
    if wanted is None:
        return [table.names[-1]]
    targets = [wanted] if wanted in table.names else [t.strip() for t in wanted.split(",")]
    absent = [t for t in targets if t not in table.names]
    if absent:
        raise RecipeError(
            f"The target must be a column of {table.name}. Received: {absent[0]!r}. "
            f"Its columns: {listed(map(repr, table.names), 20)}."
        )
    if len(targets) >= len(table.names):
        raise RecipeError(f"{table.name} must have columns beside the targets to predict from.")
    return targets


def labels(table: Table, targets: list[str], asked: str | None) -> tuple[Any, ...]:
    """Return task, labels, classes, and names and units of numeric targets."""
    name, found = table.name, table.findings
    if len(targets) > 1:
        return _several(table, targets, asked)
    (target,) = targets
    number, texts = cells.numeric(table, target), table.column(target)
    different = len(set(texts))
    if different < 2:
        raise RecipeError(
            f"The target {target!r} of {name} has the same value in every row. "
            "Choose another: --target NAME."
        )
    whole = number is not None and bool((number.values % 1 == 0).all())
    few = whole and len(np.unique(number.values)) <= MOST_COUNTED
    kind = asked or ("regression" if number and not few else "classification")
    if kind == "regression" and number is None:
        raise RecipeError(
            f"The target {target!r} of {name} must be numbers for a regression. "
            f"Received: {next(c for c in texts if not cells.is_number(c))!r}."
        )
    if kind == "regression":
        found.append(Finding("target", f"{target}, numbers: a regression"))
        y = number.values.astype("float32")[:, None]
        return "regression", y, (), ((target,), (number.unit,))
    if number is not None:
        order = np.unique(number.values)
        classes = tuple(f"{value:g}" for value in order)
        y = np.searchsorted(order, number.values)
    else:
        classes = tuple(sorted(set(texts)))
        y = np.searchsorted(np.array(classes), np.array(texts))
    if len(classes) > MOST_CLASSES:
        raise RecipeError(
            f"The target {target!r} of {name} has {len(classes)} different values, too many "
            f"for classes (at most {MOST_CLASSES}). Choose another target: --target NAME."
        )
    other = few and len(classes) > 2 and asked is None
    text = f"{target}, {len(classes)} classes"
    if len(classes) == 2:
        text = f"{target}, {classes[0]} or {classes[1]}"
    if other:
        text += " of whole numbers; to read them as numbers, add --target-kind regression"
    found.append(Finding("target", text, warning=bool(other)))
    task = "binary" if len(classes) == 2 else "classification"
    return task, y.astype("int32"), classes, ()


def _several(table: Table, targets: list[str], asked: str | None) -> tuple[Any, ...]:
    read = [cells.numeric(table, target) for target in targets]
    bad = next((t for t, n in zip(targets, read, strict=True) if n is None), None)
    if bad is not None:
        raise RecipeError(
            f"Several targets must be numbers, or 0 and 1 for labels. Received: {bad!r} of "
            f"{table.name}, which has texts."
        )
    y = np.stack([number.values for number in read], axis=1)
    labels = bool(np.isin(y, (0, 1)).all()) and asked != "regression"
    what = "labels, any number for a row" if labels else "numbers: a regression"
    table.findings.append(Finding("target", f"{listed(targets)}, {len(targets)} {what}"))
    if labels:
        return "multi-label", y.astype("int32"), tuple(targets), ()
    units = tuple(number.unit for number in read)
    return "regression", y.astype("float32"), (), (tuple(targets), units)


def check_rows(name: str, y: np.ndarray, classes: tuple[str, ...]) -> None:
    if y.ndim > 1:
        return
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < FEWEST_OF_CLASS:
        raise RecipeError(
            f"Each class of {name} must have at least {FEWEST_OF_CLASS} rows: one each to train, "
            f"validate and test. Received: {counts.min()} of {classes[int(counts.argmin())]!r}. "
            "Add rows, or remove these."
        )
