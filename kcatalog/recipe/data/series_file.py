"""A series in a file: a column of numbers in the order of time, with its dates."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kcatalog.recipe.data import dates, delimited, numbers
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.terminal.errors import RecipeError

if TYPE_CHECKING:
    import pandas

FILLS = ("linear", "previous")


@dataclass
class SeriesFile:
    """A column of numbers, its dates, and what was found and done.

    lines: the line of the file in which each value stands.
    days: the dates, if the file has some.
    step: from one date to the next, such as "1 day".
    decimal, unit: of the numbers in the file, "" where there is none.
    options: whether the reader can give the options of training, which messages then name.
    """

    file: Path
    name: str
    values: np.ndarray
    missing: np.ndarray
    lines: np.ndarray
    days: pandas.DatetimeIndex | None = None
    step: str | None = None
    decimal: str = ""
    unit: str = ""
    options: bool = True
    findings: list[Finding] = field(default_factory=list)

    def said(self, about: str, text: str, warning: bool = False) -> None:
        """Add a finding."""
        self.findings.append(Finding(about, text, warning))

    def take(self, places: np.ndarray) -> None:
        """Keep these rows, in this order."""
        self.values, self.missing = self.values[places], self.missing[places]
        self.lines = self.lines[places]
        self.days = None if self.days is None else self.days[places]


def plain(values: np.ndarray) -> SeriesFile:
    """Return numbers that stand in no file."""
    values = np.asarray(values, "float64")
    lines = np.arange(1, len(values) + 1)
    return SeriesFile(Path(), "", values, np.isnan(values), lines)


def read(
    file: Path,
    column: str | None = None,
    decimal: str | None = None,
    fill: str | None = None,
    options: bool = True,
    like: str = "",
) -> SeriesFile:
    """Read a file's column of numbers.

    Args:
        file: a CSV file.
        column: its name; by default the only one that holds numbers.
        decimal: the decimal separator, "." or ","; by default found.
        fill: how missing values are filled, one of `FILLS`; by default they are refused.
        options: whether messages may name options of training.
        like: the decimal separator of the training's numbers, "" where none was seen.
    """
    table = delimited.read(file, decimal)
    columns = [[row[place] for row in table.rows] for place in range(len(table.names))]
    dated = _find_dates(table.names, columns)
    others = [place for place in range(len(columns)) if place not in (dated[0] if dated else ())]

    def numbered(cells):
        return numbers.read(cells, decimal) if decimal else numbers.read_like(cells, like)

    place, found = _choose(file, table, columns, others, column, options, numbered)
    series = SeriesFile(
        file, table.names[place], found.values, found.missing, np.array(table.lines),
        decimal=found.decimal, unit=found.unit, options=options, findings=[*table.findings],
    )  # fmt: skip
    ignored = [table.names[other] for other in others if other != place]
    text = f"{series.name!r} is forecast" + (f"; left out: {listed(ignored)}" if ignored else "")
    series.said("columns", text)
    if form := ", ".join(filter(None, (found.form, found.unit and f"unit {found.unit}"))):
        series.said("numbers", form)
    _check_cells(series, columns[place], found)
    if dated:
        series.days = dated[1]
        _in_order(series, [columns[p] for p in dated[0]])
        _on_a_grid(series, fill)
    _fill(series, fill)
    if series.step:
        first, last = dates.shown(series.days[[0, -1]])
        zone = " in UTC" if dates.zoned(columns[dated[0][0]]) else ""
        count = f"{len(series.days):,} steps of {series.step}"
        series.said("dates", f"{first} to {last}{zone}, {count}")
    else:
        series.said("dates", "none: lines count as equal steps, forward in time")
    return series


def _find_dates(names: list[str], columns: list[list[str]]):
    """Return the places of the columns with date and time, and the dates, or None."""
    for place, name in enumerate(names):
        days = dates.read(columns[place], name)
        if days is None:
            continue
        if days.dropna().has_duplicates:  # the time may stand in a column of its own
            for other, cells in enumerate(columns):
                if other != place and (times := dates.times(cells)) is not None:
                    return (place, other), days.normalize() + times
        return (place,), days
    return None


def _choose(file: Path, table, columns, others: list[int], column, options, numbered):
    """Return the place and the numbers of the column asked for, or of the only one with some."""
    names = [table.names[place] for place in others]
    named = ", ".join(map(repr, names))
    if column is not None:
        if names.count(column) != 1:
            times = " once" if column in names else ""
            raise RecipeError(f"{file} must have a column {column!r}{times}. Received: {named}.")
        place = others[names.index(column)]
        return place, numbered(columns[place])
    read = {place: numbered(columns[place]) for place in others}
    found = {place: column for place, column in read.items() if column.mostly}
    if len(found) == 1:
        return next(iter(found.items()))
    if not found:
        first = f", in line {table.lines[0]}: {', '.join(table.rows[0])[:60]}" if table.rows else ""
        raise RecipeError(f"{file} must have a column of numbers. Received: {named}{first}.")
    fix = f"Name it: --data {file}:{table.names[list(found)[-1]]}"
    if table.separator == "," and table.names == ["1", "2"]:
        fix = f"If the commas are decimal commas, add --decimal ','. {fix}"
    raise RecipeError(
        f"{file} must have one column of numbers, or be told which. Received: {named}. "
        f"{fix if options else 'Keep one of them in the file.'}"
    )


def _check_cells(series: SeriesFile, cells: list[str], found: numbers.Numbers) -> None:
    """Refuse cells that are no numbers, or may be two."""
    if found.doubt:
        line = series.lines[cells.index(next(c for c in cells if found.doubt in c))]
        mark = "," if "," in found.doubt else "."
        fix = "Add --decimal ',' or --decimal '.'." if series.options else "Write 1234 as 1234."
        raise RecipeError(
            f"{series.file}: the {mark!r} of {found.doubt!r} in line {line} may come before "
            f"decimals or between thousands. {fix}"
        )
    bad = np.flatnonzero(found.bad)
    if len(bad):
        like = f" {found.unit} as others have" if found.unit else ""
        raise RecipeError(
            f"{series.file} must hold a finite number{like} in column {series.name!r} of every "
            f"line. Received: {cells[bad[0]]!r} in line {series.lines[bad[0]]}, and "
            f"{len(bad) - 1} more. Correct the cells"
            f"{', or empty them and add --fill linear' if series.options else ''}."
        )


def _in_order(series: SeriesFile, written: list[list[str]]) -> None:
    """Put rows in the order of time where that is certain."""
    days, blank = series.days, series.missing & np.asarray(series.days.isna())
    bad = np.flatnonzero(np.asarray(days.isna()) & ~blank)
    if len(bad):
        cells = " ".join(column[bad[0]] for column in written)
        raise RecipeError(
            f"{series.file} must have a date in every line. Received: {cells!r} in line "
            f"{series.lines[bad[0]]}, and {len(bad) - 1} more. Write dates like 2024-01-31, or "
            "remove the lines."
        )
    series.take(np.flatnonzero(~blank))
    steps = np.diff(series.days.to_numpy()).astype("int64")
    if (steps <= 0).all() and (steps < 0).any():
        series.take(np.arange(len(series.days))[::-1])
        series.said("order", "the file runs backwards in time: it is turned round")
    elif (steps < 0).any():
        _sort(series, int(np.flatnonzero(steps < 0)[0]) + 1)
    _drop_copies(series)


def _sort(series: SeriesFile, back: int) -> None:
    """Sort rows by date, if equal steps show that the dates are right."""
    ordered = series.days.sort_values()
    if ordered.has_duplicates or not _even(ordered, dates.step_of(ordered)):
        before, date = dates.shown(series.days[[back - 1, back]])
        raise RecipeError(
            f"{series.file} must run forward in time. Received: {date} in line "
            f"{series.lines[back]}, behind {before}. Sort the lines by date; if they hold several "
            "series, keep those of one."
        )
    series.take(np.asarray(series.days.argsort()))
    series.said("order", f"lines are sorted by date, as line {series.lines[back]} goes back", True)


def _drop_copies(series: SeriesFile) -> None:
    """Drop lines that repeat the date and the number of the line before."""
    same = np.diff(series.days.to_numpy()).astype("int64") == 0
    values = np.nan_to_num(series.values, nan=np.inf)
    other = np.flatnonzero(same & (values[1:] != values[:-1]))
    if len(other):
        first, second = sorted(series.lines[other[0] : other[0] + 2])
        raise RecipeError(
            f"{series.file} must have each date once. Received: "
            f"{dates.shown(series.days[other[:1]])[0]} in line {first} and in line {second} with "
            f"different numbers, and {len(other) - 1} more. Keep one of them, or write UTC where "
            "the clock was put back; if the file holds several series, keep the lines of one."
        )
    if same.any():
        series.take(np.flatnonzero(~np.append(False, same)))
        series.said("duplicates", f"left out: {same.sum()} of the same date and number", True)


def _even(days, step: str) -> bool:
    return bool((np.diff(dates.places(days, step)) == 1).all())


def _on_a_grid(series: SeriesFile, fill: str | None) -> None:
    """Find the step, and the steps that are missing."""
    if len(series.days) < 3:
        return
    series.step = dates.step_of(series.days)
    places = dates.places(series.days, series.step)
    off = np.flatnonzero(places != np.rint(places))
    if len(off):
        at = max(int(off[0]), 1)
        before, date = dates.shown(series.days[[at - 1, at]])
        raise RecipeError(
            f"{series.file} must have equal steps. Received: {date} in line {series.lines[at]}, "
            f"after {before}, while most steps are {series.step}; and {len(off) - 1} more such "
            "dates. Resample it first, for instance with DataFrame.resample of pandas."
        )
    places = places.astype(int)
    holes = np.flatnonzero(np.diff(places) > 1)
    missing = places[-1] + 1 - len(places)
    if len(holes) and fill is None:
        before, date = dates.shown(series.days[[holes[0], holes[0] + 1]])
        raise RecipeError(
            f"{series.file} must have equal steps of {series.step}. Received: {date} in line "
            f"{series.lines[holes[0] + 1]}, after {before}; missing: {missing} in "
            f"{len(holes)} gap{'s' if len(holes) > 1 else ''}. {_completed(series)}"
        )
    if len(holes):
        values = np.full(places[-1] + 1, np.nan)
        lines = np.zeros(len(values), int)
        values[places], lines[places] = series.values, series.lines
        series.values, series.lines, series.missing = values, lines, np.isnan(values)
        series.days = dates.after(series.days[0], series.step, range(len(values)))


def _completed(series: SeriesFile) -> str:
    if not series.options:
        return "Complete the file."
    return "Add --fill linear or --fill previous, or complete the file."


def _fill(series: SeriesFile, fill: str | None) -> None:
    """Fill missing values, or refuse them."""
    at = np.flatnonzero(series.missing)
    if len(at) == len(series.values):
        raise RecipeError(f"{series.file} must hold numbers in column {series.name!r}.")
    if not len(at):
        return
    if fill is None:
        raise RecipeError(
            f"{series.file} must hold a finite number in column {series.name!r} of every line. "
            f"Received: an empty cell in line {series.lines[at[0]]}, and {len(at) - 1} more. "
            f"{_completed(series)}"
        )
    known = np.flatnonzero(~series.missing)
    series.take(np.arange(known[0], known[-1] + 1))  # nothing is invented before and behind
    gaps, known = series.missing.copy(), known - known[0]
    if fill == "linear":
        series.values = np.interp(np.arange(len(gaps)), known, series.values[known])
    else:
        series.values = series.values[known[np.cumsum(~gaps) - 1]]
    series.missing = np.zeros(len(gaps), bool)
    longest = int(np.diff(known).max(initial=1)) - 1
    text = f"{gaps.sum()} missing values are filled ({fill}), up to {longest} in a row"
    ends = len(at) - gaps.sum()
    text += f"; {ends} at the ends are left out" if ends else ""
    series.said("gaps", text, warning=True)
