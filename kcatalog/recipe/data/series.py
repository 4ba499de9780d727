"""Series: half-hourly electricity demand without a network, or a column of a CSV file."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kcatalog.recipe.data import dates, delimited, series_file
from kcatalog.recipe.data.base import Arrays, Data, Source, need
from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.data.series_file import SeriesFile
from kcatalog.recipe.terminal.errors import RecipeError

SHORTEST = 24  # values from which anything can be learned
ROUNDING = 0.01  # of the median step that rounding may take
MOST_WINDOWS = 20_000  # of a long series every second or third window is as good


@dataclass(frozen=True)
class SeriesDetails(Details):
    """Facts about a series.

    season: steps after which it repeats.
    every: steps from one test window to the next.
    column: the name of its column in the CSV file, if one was named.
    step: from one value to the next, such as "1 day", if the file has dates.
    start: the date of the first value to forecast in the test part.
    dtype: of its values: float64 where float32 would round away what changes from step to step.
    decimal, unit: of the numbers in the file, "" where there is none.
    """

    season: int
    every: int = 1
    column: str | None = None
    step: str | None = None
    start: str | None = None
    dtype: str = "float32"
    decimal: str = ""
    unit: str = ""


@with_options
class Series(Source):
    """A series of numbers: windows of its history, and what came next.

    The last sixth is held out as the test part, the twelfth before it validates. A test window's
    history may reach back before the test part: it was known by then.

    The horizon is at most a twelfth of a series. The window is halved, down to the horizon, until a
    short series holds enough windows. None finds season, column and decimal separator, and refuses
    missing values and steps. `--data file.csv:column` names the column, too.
    """

    wanted = "a CSV file with a column of numbers"
    Details = SeriesDetails

    default: str = "taylor"
    horizon: int = option(48, "Steps to forecast at a time.", min=1)
    window: int = option(336, "Steps of history, on top of one season.", min=1)
    season: int | None = option(
        None, "Steps after which the series repeats. [default: found]", min=1
    )
    column: str | None = option(None, "Column of your CSV file.", metavar="NAME", files="history")
    fill: Literal["linear", "previous"] | None = option(
        None, "Fill gaps in your file.", files="history"
    )
    decimal: Literal[".", ","] | None = option(
        None, "Decimal separator of your file.", files="history"
    )

    def sets(self):
        return {"taylor": self._taylor}

    def load(self, name_or_path: str | Path | None = None, seed: int = 0) -> Data:
        if not (named := delimited.column_of(name_or_path, "column", self.column)):
            return super().load(name_or_path, seed)
        file, column = named
        return self._data(f"{file.name}:{column}", self._file(file, column), column)

    def from_path(self, path: Path, seed: int) -> Data:
        return self._data(path.name, self._file(path, self.column), self.column)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        """Read the end of each file's column, from which the model continues."""
        length, histories = info.input_shape[0], []
        for path in paths:
            series = self._file(path, info.details.column, info.details)
            values, step, unit = series.values, info.details.step, info.details.unit
            if unit and series.unit not in ("", unit):
                raise RecipeError(
                    f"{path} must hold numbers in {unit}, as the model was trained on. "
                    f"Received: {series.unit}. Convert them."
                )
            if step and series.step not in (None, step):
                raise RecipeError(
                    f"{path} must have steps of {step}, as that is what the model forecasts. "
                    f"Received: steps of {series.step}."
                )
            if len(values) < length:
                raise RecipeError(
                    f"{path} must hold {length} numbers at least, as that is what the model "
                    f"looks back on. Received: {len(values)}."
                )
            histories.append(values[-length:].astype(info.details.dtype))
        return np.stack(histories)

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        """Return the dates of each forecast, of files with dates."""
        series = [self._file(path, info.details.column, info.details) for path in paths]
        ahead = range(1, self.horizon + 1)
        return [
            {"dates": dates.shown(dates.after(s.days[-1], s.step, ahead))} if s.step else {}
            for s in series
        ]

    def _file(
        self, path: Path, column: str | None, like: SeriesDetails | None = None
    ) -> SeriesFile:
        decimal = like.decimal if like else ""
        options = like is None  # predictions have none
        return series_file.read(Path(path), column, self.decimal, self.fill, options, decimal)

    def _taylor(self, seed: int) -> Data:
        """Electricity demand of England and Wales in 2000, 12 weeks of half hours, in MW."""
        values = need("pmdarima.datasets", "pmdarima").load_taylor(as_series=False)
        return self._data("taylor", series_file.plain(values), season=self.season or 336)

    def _data(self, name: str, series: SeriesFile, column=None, season=None) -> Data:
        """Load the set, the same for every seed: a series is not shuffled."""
        values, stated = series.values, season or self.season
        season = stated or find_season(values[: _parts(len(values))[0]])
        if (plan := self._plan(len(values), season)) is None:
            raise RecipeError(self._too_short(name, len(values), season))
        (horizon, window), (learned, known) = plan, _parts(len(values))
        _check_varied(name, values[:learned], "learn from")
        _check_varied(name, values[known:], "test with")
        values, history, start = narrowed(values), season + window, None
        how = "" if stated else ", found in the data" if season > 1 else ": none is found"
        found = [*series.findings, Finding("season", f"{season} step{'s' * (season > 1)}{how}")]
        for what, asked, used in (
            ("horizon", self.horizon, horizon),
            ("window", self.window, window),
        ):
            if used < asked:
                text = f"{used} steps instead of {asked}, as the series has {len(values)}"
                found.append(Finding(what, text, warning=True))
        if values.dtype == np.float64:
            text = "float64, as float32 would round away the steps between such numbers"
            found.append(Finding("precision", text))
        if series.step:
            begin = dates.shown(series.days[[history, learned, known]])
            text = "train from {}, validate from {}, test from {}".format(*begin)
            found.append(Finding("parts", text))
            start = begin[-1]
        spans = {
            "train": (history, learned),
            "validation": (learned, known),
            "test": (known, len(values)),
        }
        parts = {k: windows(values, history, horizon, *span) for k, span in spans.items()}
        details = SeriesDetails(
            season,
            every(len(values) - known, horizon),
            column,
            series.step,
            start,
            values.dtype.name,
            series.decimal,
            series.unit,
        )
        return Data(
            name,
            "forecast",
            "history",
            **parts,
            classes=(),
            details=details,
            findings=tuple(found),
            settings={"season": season, "window": window, "horizon": horizon},
        )

    def _plan(self, length: int, season: int) -> tuple[int, int] | None:
        """Return horizon and window for a series of this length, or None where it is too short."""
        horizon, window = max(1, min(self.horizon, length // 12)), self.window
        while 2 * (season + window + horizon) > length and window >= 2 * horizon:
            window //= 2
        fits = length >= SHORTEST and season + window + 2 * horizon <= _parts(length)[0]
        return (horizon, window) if fits else None

    def _too_short(self, name: str, length: int, season: int) -> str:
        """Word why there are too few numbers, and what helps."""
        needed = next(n for n in itertools.count(length) if self._plan(n, season))
        fix = "Give a longer series"
        if season > 1 and self._plan(length, 1):
            fix += ", or a season that fits, such as --season 1"
        return (
            f"{name} must hold {needed} numbers at least to learn a season of "
            f"{'1 step' if season == 1 else f'{season} steps'} from. Received: {length}. {fix}."
        )


def _check_varied(name: str, part: np.ndarray, use: str) -> None:
    if np.ptp(part) == 0:
        raise RecipeError(
            f"{name} must hold different numbers to {use}. Received: {part[0]:g} in all of the "
            f"{len(part)} values for that. Give another column or file."
        )


def _parts(length: int) -> tuple[int, int]:
    """Return where the training part ends, and where the test part begins."""
    known = length - length // 6
    return known - length // 12, known


def narrowed(values: np.ndarray) -> np.ndarray:
    """Return float32 where that keeps the steps between values, else float64.

    >>> steps = np.array([0.0, 1.0, 3.0, 1.0])
    >>> narrowed(1e3 + steps).dtype.name, narrowed(1e12 + steps).dtype.name
    ('float32', 'float64')
    """
    with np.errstate(over="ignore"):
        small = values.astype("float32")
    steps = np.abs(np.diff(values))
    lost = np.abs(small - values).max()
    return small if lost <= ROUNDING * np.median(steps[steps > 0]) else values.astype("float64")


def windows(values: np.ndarray, history: int, horizon: int, first: int, end: int) -> Arrays:
    """Cut runs of `horizon` values in [first, end), and the `history` values before each.

    >>> x, y = windows(np.arange(6.0), history=2, horizon=2, first=2, end=6)
    >>> x.tolist(), y.tolist()
    ([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]], [[2.0, 3.0], [3.0, 4.0], [4.0, 5.0]])
    """
    view = np.lib.stride_tricks.sliding_window_view
    both = view(values[first - history : end], history + horizon)[:: every(end - first, horizon)]
    return both[:, :history], both[:, history:]


def every(steps: int, horizon: int) -> int:
    """Return the steps from one window to the next: 1, or more in a long part."""
    return max(1, math.ceil((steps - horizon + 1) / MOST_WINDOWS))


def find_season(values: np.ndarray) -> int:
    """Find the lag, up to a quarter of the series, of the highest autocorrelation; 1 if none.

    Of lags that are about as good the shortest: what repeats daily also repeats weekly.

    >>> find_season(np.tile([0.0, 1.0, 3.0, 1.0, 0.0, -2.0], 20))
    6
    """
    signal = need("scipy.signal", "scipy")
    if len(values) < 8:
        return 1
    x = signal.detrend(values.astype("float64"))
    lags = np.arange(len(x) // 4)
    products = signal.correlate(x, x, method="fft")[len(x) - 1 :][: len(lags)]
    resemblance = products / (len(x) - lags)
    peaks, _ = signal.find_peaks(resemblance)
    best = resemblance[peaks].max(initial=0)
    return int(peaks[resemblance[peaks] >= 0.95 * best][0]) if best > 0 else 1
