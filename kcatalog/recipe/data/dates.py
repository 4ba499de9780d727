"""Dates of a series: read from text, their step, and the dates to come."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import numpy as np

from kcatalog.recipe.data.base import need

if TYPE_CHECKING:
    import pandas

TIME = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?")
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
TEXTUAL = re.compile(  # at least this is in a written date
    rf".*(\d[-/.]\d\d?[-/.]\d|\d{{4}}[-/]\d\d|\d:\d\d|({MONTHS}).*\d|\d.*({MONTHS}))", re.IGNORECASE
)
ZONE = re.compile(r":\d\d(\.\d+)?\s?(Z|UTC|[+-]\d\d:?\d\d)$")
NUMERIC = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}\b")
SAMPLE = 1000  # cells that show what a column holds
QUARTER = re.compile(r"^(\d{4})[- ]?Q([1-4])$")
SERIAL = ("date", "time", "datetime", "timestamp", "year", "month")  # names above bare numbers
FIXED = {  # seconds of units that always last equally long
    "day": 86_400.0,
    "hour": 3600.0,
    "minute": 60.0,
    "second": 1.0,
    "millisecond": 0.001,
}


def read(
    cells: list[str], name: str = "", day_first: bool | None = None
) -> pandas.DatetimeIndex | None:
    """Read a column of dates; NaT where a cell is none. None for a column of something else.

    Args:
        cells: text. Dates with a time zone are converted to UTC.
        name: of the column: bare numbers are dates under some names only.
        day_first: whether 03/04/2024 is in April; None lets the cells decide.
    """
    pd = need("pandas", "pandas")
    column = pd.Series(cells, dtype=object)
    filled = column[column != ""]
    if not len(filled):
        return None
    sample = filled.iloc[:: max(1, len(filled) // SAMPLE)]
    if sample.str.fullmatch(r"\d+(\.0)?").mean() > 0.5:
        found = _of_numbers(column.str.removesuffix(".0"), name)
    elif sample.str.fullmatch(QUARTER).mean() > 0.5:
        found = _of_text(column.str.replace(QUARTER, _month, regex=True))
    elif sample.str.match(TEXTUAL).mean() > 0.5 and not sample.str.fullmatch(TIME).mean() > 0.5:
        found = _of_text(column, day_first)
    else:
        return None
    return found if found is not None and 2 * found.notna().sum() > len(filled) else None


def order(cells: list[str]) -> tuple[bool | None, bool]:
    """Return whether the day comes first in dates like 03/04/2024, and whether a cell shows it.

    None where there are no such dates.

    >>> order(["03/04/2024", "13/04/2024"]), order(["03/04/2024"]), order(["2024-04-03"])
    ((True, True), (True, False), (None, True))
    """
    written = [match for match in map(NUMERIC.match, cells) if match]
    if not written:
        return None, True
    for place, first in ((1, True), (2, False)):
        if any(int(match[place]) > 12 for match in written):
            return first, True
    found = read(cells)
    return found is None or found.equals(read(cells, day_first=True)), False


def _month(quarter: re.Match) -> str:
    return f"{quarter[1]}-{3 * int(quarter[2]) - 2:02d}"


def zoned(cells: list[str]) -> bool:
    """Return whether dates have a time zone, which `read` converts to UTC."""
    return any(ZONE.search(cell) for cell in cells[:SAMPLE])


def times(cells: list[str]) -> pandas.TimedeltaIndex | None:
    """Read a column of times of the day."""
    pd = need("pandas", "pandas")
    if not all(TIME.fullmatch(cell) for cell in cells if cell):
        return None
    whole = [cell if cell.count(":") != 1 else f"{cell}:00" for cell in cells]
    return pd.to_timedelta(whole, errors="coerce")


def _of_numbers(column, name: str) -> pandas.DatetimeIndex | None:
    """Read years, days such as 20240131, or seconds and milliseconds since 1970."""
    pd = need("pandas", "pandas")
    if column.str.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])").all():
        return pd.DatetimeIndex(pd.to_datetime(column, format="%Y%m%d", errors="coerce"))
    if not any(word in name.lower() for word in SERIAL):
        return None
    numbers = pd.to_numeric(column, errors="coerce")
    for form, low, high in (("%Y", 1000, 2500), ("%Y%m", 100_001, 250_012)):
        if numbers.between(low, high).all():
            return pd.DatetimeIndex(pd.to_datetime(column, format=form, errors="coerce"))
    for unit, low in (("s", 1e8), ("ms", 1e11), ("us", 1e14), ("ns", 1e17)):
        if numbers.between(low, low * 100).all():
            return pd.DatetimeIndex(pd.to_datetime(numbers, unit=unit))
    return None


def _of_text(column, day_first: bool | None = None) -> pandas.DatetimeIndex:
    """Read dates as people and programs write them, the same way in all cells.

    Of 03/04/2024 the day comes first where that makes more cells dates, or equal steps of them.
    """
    pd = need("pandas", "pandas")
    ways = []
    orders = (True, False) if day_first is None else (day_first,)
    for how in ({"format": "ISO8601"}, *({"dayfirst": first} for first in orders)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where the first cell has no form: slower
            dates = pd.DatetimeIndex(pd.to_datetime(column, errors="coerce", utc=True, **how))
        dates = dates.tz_localize(None)
        if dates.notna().all() and "format" in how:
            return dates
        ways.append(dates)
    return max(ways, key=lambda dates: (dates.notna().sum(), _regular(dates.dropna())))


def _regular(dates: pandas.DatetimeIndex) -> float:
    """Return the share of dates that are one step after another."""
    dates = dates.unique().sort_values()
    return float(np.mean(np.diff(places(dates, step_of(dates))) == 1)) if len(dates) > 1 else 0.0


def step_of(dates: pandas.DatetimeIndex) -> str:
    """Find the most frequent step of ascending dates, such as "1 day" or "30 minutes".

    >>> pd = need("pandas", "pandas")
    >>> [step_of(pd.date_range("2024-01-31", periods=9, freq=f)) for f in ("30min", "ME", "B")]
    ['30 minutes', '1 month end', '1 business day']
    """
    pd = need("pandas", "pandas")
    months = _months(dates)
    same_time = (dates - dates.normalize()).nunique() == 1
    if same_time and (np.diff(months) > 0).all():
        unit = "month end" if dates.is_month_end.all() else "month"
        if unit == "month end" or dates.day.nunique() == 1:
            return _text(int(pd.Series(np.diff(months)).mode()[0]), unit)
    step = pd.Series(np.diff(dates.to_numpy())).mode()[0].total_seconds()
    weekend = (dates.dayofweek >= 5).any()
    if step == FIXED["day"] and same_time and not weekend and len(dates) > 5:
        return _text(1, "business day")
    unit = next((name for name, seconds in FIXED.items() if step % seconds == 0), "millisecond")
    return _text(round(step / FIXED[unit]), unit)


def places(dates: pandas.DatetimeIndex, step: str) -> np.ndarray:
    """Return how many steps each date is behind the first, as float: off the grid in fractions."""
    count, unit = _parsed(step)
    if unit.startswith("month"):
        return (_months(dates) - _months(dates)[0]) / count
    if not count:
        return np.zeros(len(dates))
    if unit == "business day":
        days = dates.to_numpy().astype("datetime64[D]")
        return np.busday_count(days[0], days) / count
    return np.asarray((dates - dates[0]).total_seconds()) / (count * FIXED[unit])


def after(date, step: str, counts) -> pandas.DatetimeIndex:
    """Return the dates so many steps after a date.

    >>> pd = need("pandas", "pandas")
    >>> [str(date.date()) for date in after(pd.Timestamp("2024-01-31"), "1 month end", [1, 2])]
    ['2024-02-29', '2024-03-31']
    """
    pd = need("pandas", "pandas")
    (count, unit), date = _parsed(step), pd.Timestamp(date)
    kinds = {
        "month": lambda n: pd.DateOffset(months=n),
        "month end": pd.offsets.MonthEnd,
        "business day": pd.offsets.BDay,
    }
    if unit not in kinds:
        return date + pd.to_timedelta(np.asarray(counts) * count * FIXED[unit], unit="s")
    return pd.DatetimeIndex([date + kinds[unit](int(n) * count) for n in counts])


def shown(dates: pandas.DatetimeIndex) -> list[str]:
    """Write dates without the parts that are zero in all of them."""
    texts = [date.isoformat(sep=" ") for date in dates]
    for end in (":00", " 00:00"):
        if all(text.endswith(end) for text in texts):
            texts = [text.removesuffix(end) for text in texts]
    return texts


def _months(dates) -> np.ndarray:
    return np.asarray(dates.year * 12 + dates.month)


def _text(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' if count != 1 else ''}"


def _parsed(step: str) -> tuple[int, str]:
    count, _, unit = step.partition(" ")
    return int(count), unit if count == "1" else unit.removesuffix("s")
