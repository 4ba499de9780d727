"""Cells of a table: the kind of each column, and its cells in the form that `Column` takes."""

from __future__ import annotations

import collections
import re

import numpy as np

from kcatalog.recipe.data import dates, numbers
from kcatalog.recipe.data.columns import Arrays, Column
from kcatalog.recipe.data.findings import Finding, counted, listed
from kcatalog.recipe.terminal.errors import RecipeError

MOST_VALUES = 50  # categories of a column that get a feature each
BOOLEAN = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
NUMBERED = re.compile(r"(^|[\W_])(id|key|uuid|index|nr|no|number|unnamed.*)$|^(unnamed.*)?$", re.I)


def columns(name: str, table, targets: list[str], train: np.ndarray, found: list) -> list[Column]:
    """Return the columns that are used, and note those that are left out."""
    columns, out, gaps, kinds = [], collections.defaultdict(list), [], []
    for place, column in enumerate(table.names):
        if column in targets:
            continue
        cells = table.column(place)
        filled = [cell for cell in cells if not missing(cell)]
        if not filled:
            out["empty"].append(column)
        elif len(set(cells)) == 1:
            out["constant"].append(column)
        elif _identifies(column, cells, filled):
            out["different in every row"].append(column)
        else:
            made = _column(name, table, place, train)
            columns.append(made)
            kinds.append(made.kind)
            if (empty := len(cells) - len(filled)) > 0:
                gaps.append(f"{column} {empty}")
    if not columns:
        reasons = "; ".join(f"{why}: {listed(names)}" for why, names in out.items())
        raise RecipeError(f"{name} has no column to predict from ({reasons}).")
    found.append(Finding("columns", _plurals(counted(kinds))))
    for why, names in out.items():
        found.append(Finding("left out", f"{why}: {listed(names)}", warning=True))
    if gaps:
        text = f"{listed(gaps)}; numbers and dates are filled with the mean, and all are marked"
        found.append(Finding("missing", text))
    if rare := [c.name for c in columns if len(c.values) == MOST_VALUES]:
        text = f"only the {MOST_VALUES} most frequent of {listed(rare)}, others count as none"
        found.append(Finding("categories", text, warning=True))
    return columns


def _column(name: str, table, place: int, train: np.ndarray) -> Column:
    column = table.names[place]
    cells = canonical(name, table, column)
    known = [cells[0][i] for i in train]
    kind, missing = cells[1], "" in cells[0]
    if kind in ("category", "boolean"):
        values = [value for value, _ in collections.Counter(known).most_common(MOST_VALUES)]
        return Column(column, kind, values=tuple(sorted(values)))
    read = Arrays.days(known) if kind == "date" else Arrays.numbers(known)
    read = read[np.isfinite(read)]
    mean, scale = (float(read.mean()), float(read.std())) if len(read) else (0.0, 1.0)
    hours = kind == "date" and any("T" in cell for cell in cells[0])
    return Column(column, kind, mean, scale or 1.0, missing, hours=hours)


def canonical(name: str, table, column: str, kind: str | None = None) -> tuple[list[str], str]:
    """Return a column's cells as `Column` takes them, and its kind (found without `kind`)."""
    cells = table.column(table.names.index(column))
    gone = np.array([missing(cell) for cell in cells])
    if kind in (None, "number"):
        number = numeric(name, table, column, required=kind == "number")
        if number is not None:
            return ["" if g else repr(float(v)) for g, v in zip(gone, number.values, strict=True)
                    ], "number"  # fmt: skip
    if kind in (None, "date"):
        read = dates.read([cell for cell, g in zip(cells, gone, strict=True) if not g], column)
        good = np.zeros(int((~gone).sum()), bool) if read is None else read.notna()
        if good.all():
            found = iter(() if read is None else read)
            return ["" if g else _iso(next(found)) for g in gone], "date"
        if kind == "date":
            at = int(np.flatnonzero(~gone)[np.argmin(good)])
            raise RecipeError(
                f"{name} must have dates in column {column!r}. Received: {cells[at]!r} in line "
                f"{table.lines[at]}."
            )
    lower = {cell.lower() for cell, g in zip(cells, gone, strict=True) if not g}
    boolean = any(lower <= pair for pair in BOOLEAN)
    if kind == "boolean" or (kind is None and boolean):
        return ["" if g else c.lower() for g, c in zip(gone, cells, strict=True)], "boolean"
    return ["" if g else c for g, c in zip(gone, cells, strict=True)], "category"


def numeric(name: str, table, column: str, required: bool = False):
    """Return a column of numbers, NaN where a cell is missing; None for one of something else."""
    cells = table.column(table.names.index(column))
    filled = np.array([not missing(cell) for cell in cells])
    if not filled.any():
        return numbers.Numbers(np.full(len(cells), np.nan), ~filled, ~filled) if required else None
    read = numbers.read([cell for cell, f in zip(cells, filled, strict=True) if f])
    if read.doubt is not None:
        raise RecipeError(
            f"{name} has numbers that can be read in two ways in column {column!r}, such as "
            f"{read.doubt!r}. Write them without separators between thousands."
        )
    good = np.isfinite(read.values)
    if not good.all():
        if good.mean() < 0.9 and not required:
            return None
        at = np.flatnonzero(filled)[int(np.argmin(good))]
        raise RecipeError(
            f"{name} must have a number in column {column!r} of every line. Received: "
            f"{cells[at]!r} in line {table.lines[at]}, and {int((~good).sum()) - 1} more. "
            "Correct the cells, or leave them empty."
        )
    values = np.full(len(cells), np.nan)
    values[filled] = read.values
    return numbers.Numbers(values, ~filled, np.zeros(len(cells), bool), read.unit)


def matrix(name: str, table, columns) -> np.ndarray:
    """Return the cells of the columns as text (rows, columns)."""
    found = [canonical(name, table, column.name, column.kind)[0] for column in columns]
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
    return cell.lower() in numbers.MISSING or cell.lower() == "nat"


def is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _iso(date) -> str:
    text = date.isoformat()[:19]
    return text.removesuffix("T00:00:00")


def _plurals(counts: str) -> str:
    words = {"number": "numeric", "category": "categorical", "boolean": "boolean", "date": "date"}
    return re.sub(r"[a-z]+", lambda m: words.get(m[0], m[0]), counts)
