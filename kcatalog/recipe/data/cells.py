"""Cells of a table: the kind of each column, and its cells in the form that `Column` takes."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable

import numpy as np

from kcatalog.recipe.data import dates, numbers
from kcatalog.recipe.data.columns import Column
from kcatalog.recipe.data.delimited import Table
from kcatalog.recipe.data.findings import Finding, counted, listed
from kcatalog.recipe.terminal.errors import RecipeError

ADJECTIVES = {"number": "numeric", "category": "categorical"}
MOST_VALUES = 50  # categories of a column that get a feature each
BOOLEAN = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
NUMBERED = re.compile(r"(^|[\W_])(id|key|uuid|index|nr|no|number|unnamed.*)$|^(unnamed.*)?$", re.I)


def columns(
    table: Table, targets: list[str], train: np.ndarray, categorical: str | None = None
) -> list[Column]:
    """Return the columns that are used, and note those that are left out.

    Columns named in `categorical` are categories even if they hold numbers.
    """
    columns, out, gaps = [], collections.defaultdict(list), []
    named = _named(table, targets, categorical)
    for column in table.names:
        if column in targets:
            continue
        cells = table.column(column)
        filled = [cell for cell in cells if not missing(cell)]
        if not filled:
            out["empty"].append(column)
        elif len(set(cells)) == 1:
            out["constant"].append(column)
        elif _identifies(column, cells, filled):
            out["different in every row"].append(column)
        else:
            columns.append(_column(table, column, train, column in named))
            if (empty := len(cells) - len(filled)) > 0:
                gaps.append(f"{column} {empty}")
    if not columns:
        reasons = "; ".join(f"{why}: {listed(names)}" for why, names in out.items())
        raise RecipeError(f"{table.name} has no column to predict from ({reasons}).")
    found = table.findings
    found.append(Finding("columns", counted(ADJECTIVES.get(c.kind, c.kind) for c in columns)))
    for why, names in out.items():
        found.append(Finding("left out", f"{why}: {listed(names)}", warning=True))
    if gaps:
        text = f"{listed(gaps)}; numbers and dates are filled with the mean, and all are marked"
        found.append(Finding("missing", text))
    if rare := [c.name for c in columns if len(c.values) == MOST_VALUES]:
        text = f"only the {MOST_VALUES} most frequent of {listed(rare)}, others count as none"
        found.append(Finding("categories", text, warning=True))
    return columns


def _named(table: Table, targets: list[str], categorical: str | None) -> list[str]:
    """Return the columns that are named as categorical."""
    named = [part.strip() for part in (categorical or "").split(",") if part.strip()]
    for column in named:
        if column not in table.names or column in targets:
            raise RecipeError(
                f"--categorical must name columns of {table.name} beside the target. Received: "
                f"{column!r}. Its columns: {listed(map(repr, table.names), 20)}."
            )
        if (count := len(set(table.column(column)))) > MOST_VALUES:
            raise RecipeError(
                f"The column {column!r} of {table.name} has {count} different values, too many for "
                f"categories (at most {MOST_VALUES}). Leave it out of --categorical."
            )
    return named


def _column(table: Table, name: str, train: np.ndarray, categorical: bool) -> Column:
    cells, column = canonical(table, name, Column(name, "category") if categorical else None)
    known = [cells[i] for i in train]
    if column.kind in ("category", "boolean"):
        values = [value for value, _ in collections.Counter(known).most_common(MOST_VALUES)]
        return dataclasses.replace(column, values=tuple(sorted(values)))
    if column.kind == "date" and not dates.order(table.column(name))[1]:
        cell = next(cell for cell in table.column(name) if dates.NUMERIC.match(cell))
        first = "day" if column.day_first else "month"
        text = f"{cell!r} in {name}: the {first} comes first; no cell shows the order"
        table.findings.append(Finding("dates", text, warning=True))
    read = [cell for cell in known if cell]
    if column.kind == "date":
        read = np.array(read, "datetime64[s]").astype("int64") / 86400
    read = np.array(read, "float64")
    mean, scale = (float(read.mean()), float(read.std())) if len(read) else (0.0, 1.0)
    hours = column.kind == "date" and any("T" in cell for cell in cells)
    return dataclasses.replace(
        column, mean=mean, scale=scale or 1.0, missing="" in cells, hours=hours
    )


def canonical(table: Table, column: str, like: Column | None = None) -> tuple[list[str], Column]:
    """Return a column's cells in the form that `Column` takes, and how they are written.

    They are read like those of the column that the model was trained on, if there is one.
    """
    cells = ["" if missing(cell) else cell for cell in table.column(column)]
    kind = like and like.kind
    if kind in (None, "number") and (number := numeric(table, column, like)) is not None:
        texts = ["" if np.isnan(value) else repr(float(value)) for value in number.values]
        return texts, Column(column, "number", decimal=number.decimal, unit=number.unit)
    if kind in (None, "date"):
        first = like.day_first if like else dates.order(cells)[0]
        read = dates.read(cells, column, first)
        days = [""] * len(cells) if read is None else [_iso(date) for date in read]
        bad = [n for n, (cell, day) in enumerate(zip(cells, days, strict=True)) if cell and not day]
        if not bad:
            return days, Column(column, "date", day_first=first)
        if kind == "date":
            raise RecipeError(
                f"{table.name} must have dates in column {column!r}. Received: {cells[bad[0]]!r} "
                f"in line {table.lines[bad[0]]}."
            )
    lower = [cell.lower() for cell in cells]
    if kind == "boolean" or (kind is None and any(set(lower) - {""} <= p for p in BOOLEAN)):
        return lower, Column(column, "boolean")
    return cells, Column(column, "category")


def numeric(table: Table, column: str, like: Column | None = None):
    """Return a column of numbers, NaN where a cell is missing; None for one of something else.

    Where it is to be read like another column, something else is refused.
    """
    read = numbers.read_like(table.column(column), like.decimal if like else "")
    if read.missing.all():
        return read if like else None
    if like and like.unit and read.unit not in ("", like.unit):
        raise RecipeError(
            f"{table.name} must have numbers in {like.unit} in column {column!r}, as the model was "
            f"trained on. Received: {read.unit}. Convert them."
        )
    if read.doubt is not None:
        raise RecipeError(
            f"{table.name} has numbers that can be read in two ways in column {column!r}, such as "
            f"{read.doubt!r}. Write them without separators between thousands."
        )
    if read.bad.any():
        if read.bad[~read.missing].mean() > 0.1 and not like:
            return None
        at = int(read.bad.argmax())
        raise RecipeError(
            f"{table.name} must have a number in column {column!r} of every line. Received: "
            f"{table.column(column)[at]!r} in line {table.lines[at]}, and {read.bad.sum() - 1} "
            "more. Correct the cells, or leave them empty."
        )
    return read


def matrix(table: Table, columns: Iterable[Column]) -> np.ndarray:
    """Return the cells of the columns as text (rows, columns)."""
    found = [canonical(table, column.name, column)[0] for column in columns]
    return np.array(found).T


def _identifies(name: str, cells: list[str], filled: list[str]) -> bool:
    """Return whether a column names its row: all different, and texts or numbers of rows."""
    if len(set(cells)) < len(cells):
        return False
    if not all(is_number(cell) for cell in filled):
        read = numbers.read(filled)
        if np.isfinite(read.values).mean() >= 0.9:
            return False
        return dates.read(filled, name) is None
    values = np.array([float(cell) for cell in filled])
    if (values % 1).any():
        return False
    return bool(NUMBERED.search(name)) or bool((np.diff(np.sort(values)) == 1).all())


def missing(cell: str) -> bool:
    return cell.lower() in numbers.MISSING


def is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _iso(date) -> str:
    """Return a date as `Column` takes it, "" for NaT."""
    return "" if date != date else date.isoformat()[:19].removesuffix("T00:00:00")
