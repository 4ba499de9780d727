"""Series: half-hourly electricity demand without a network, or a column of a CSV file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe.data.base import Arrays, Data, Source, need
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import Option
from kcatalog.recipe.terminal.errors import RecipeError

MOST_WINDOWS = 20_000  # of a long series every second or third window is as good


@dataclass(frozen=True)
class SeriesDetails(Details):
    """Facts about a series.

    season: steps after which it repeats.
    every: steps from one test window to the next.
    column: the name of its column in the CSV file, if one was named.
    """

    season: int
    every: int = 1
    column: str | None = None


class Series(Source):
    """A series of numbers: windows of its history, and what came next.

    The last sixth is held out as the test part, the twelfth before it validates. A test window's
    history may reach back before the test part: it was known by then.

    Args:
        default: the series used without `--data`.
        horizon: steps to forecast at a time.
        window: steps of history that the model sees, on top of one season; halved, down to the
            horizon, until a short series holds enough windows.
        season: steps after which a series of your own repeats. None finds it.
        column: which column of a CSV file; None where just one holds numbers. `--data
            file.csv:column` says it on the command line.
    """

    wanted = "a CSV file with a column of numbers"
    Details = SeriesDetails
    options = {
        "horizon": Option(int, "Steps to forecast at a time.", min=1),
        "window": Option(int, "Steps of history, on top of one season.", min=1),
        "season": Option(int, "Steps after which the series repeats.", min=1),
        "column": Option(str, "Column of your CSV file.", metavar="NAME", files="history"),
    }

    def __init__(
        self,
        default: str = "taylor",
        horizon: int = 48,
        window: int = 336,
        season: int | None = None,
        column: str | None = None,
    ):
        self.default, self.horizon, self.window = default, horizon, window
        self.season, self.column = season, column

    def sets(self):
        return {"taylor": self._taylor}

    def load(self, name_or_path: str | Path | None = None, seed: int = 0) -> Data:
        file, colon, column = str(name_or_path or "").rpartition(":")
        file = Path(file).expanduser()
        if colon and not Path(str(name_or_path)).exists() and file.is_file():
            return self._data(f"{file.name}:{column}", read_column(file, column), column)
        return super().load(name_or_path, seed)

    def from_path(self, path: Path, seed: int) -> Data:
        return self._data(path.name, read_column(path, self.column), self.column)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        """Read the end of each file's column, from which the model continues."""
        length, histories = info.input_shape[0], []
        for path in paths:
            values = read_column(Path(path), info.details.column)
            if len(values) < length:
                raise RecipeError(
                    f"{path} must hold {length} numbers at least, as that is what the model "
                    f"looks back on. Received: {len(values)}."
                )
            histories.append(values[-length:])
        return np.stack(histories)

    def _taylor(self, seed: int) -> Data:
        """Electricity demand of England and Wales in 2000, 12 weeks of half hours, in MW."""
        load = need("pmdarima.datasets", "pmdarima").load_taylor
        return self._data("taylor", load(as_series=False).astype("float32"), season=336)

    def _data(self, name: str, values: np.ndarray, column=None, season=None) -> Data:
        """Load the set, the same for every seed: a series is not shuffled."""
        test, validation = len(values) // 6, len(values) // 12
        known = len(values) - test
        season = season or self.season or find_season(values[: known - validation])
        window = self.window
        while len(values) < self._needed(season + window) and window >= 2 * self.horizon:
            window //= 2
        history = season + window
        needed = self._needed(history)
        if len(values) < needed:
            raise RecipeError(
                f"{name} must hold {needed} numbers at least: windows of {history} (a season of "
                f"{season} steps and {window} more) to forecast {self.horizon} steps from. "
                f"Received: {len(values)}. Give a longer series, or lower `window` or `horizon`."
            )
        spans = {
            "train": (history, known - validation),
            "validation": (known - validation, known),
            "test": (known, len(values)),
        }
        parts = {k: windows(values, history, self.horizon, *span) for k, span in spans.items()}
        details = SeriesDetails(season, every(test, self.horizon), column)
        return Data(name, "forecast", "history", **parts, classes=(), details=details)

    def _needed(self, history: int) -> int:
        return max(12 * self.horizon, 2 * (history + self.horizon))


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
    x = signal.detrend(values.astype("float64"))
    lags = np.arange(len(x) // 4)
    products = signal.correlate(x, x, method="fft")[len(x) - 1 :][: len(lags)]
    resemblance = products / (len(x) - lags)
    peaks, _ = signal.find_peaks(resemblance)
    best = resemblance[peaks].max(initial=0)
    return int(peaks[resemblance[peaks] >= 0.95 * best][0]) if best > 0 else 1


def read_column(file: Path, column: str | None) -> np.ndarray:
    """Read a CSV file's column of numbers. Without a header columns are called 1, 2 and so on."""
    pandas = need("pandas", "pandas")
    try:
        cells = pandas.read_csv(file, header=None, dtype=str, skip_blank_lines=False)
    except (OSError, ValueError) as e:  # undecodable or unequal lines are ValueErrors
        reason = str(e).strip().splitlines()[0]
        raise RecipeError(
            f"{file} must be a CSV file in UTF-8, a line per step. Received: {reason}."
        ) from e
    numbers = cells.apply(pandas.to_numeric, errors="coerce")
    header = not numbers.iloc[0].notna().any()
    names = [str(name) for name in cells.iloc[0]] if header else [str(n + 1) for n in cells]
    numbers = numbers.to_numpy("float64")[int(header) :]
    chosen = _choose(file, names, numbers, column)
    values = numbers[:, chosen]
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        line = int(bad[0]) + int(header)
        raise RecipeError(
            f"{file} must hold a finite number in column {names[chosen]!r} of every line. "
            f"Received: {cells.iloc[line, chosen]!r} in line {line + 1}, and {len(bad) - 1} more. "
            "Fill the gaps, or remove the lines."
        )
    return values.astype("float32")


def _choose(file: Path, names: list[str], numbers: np.ndarray, column: str | None) -> int:
    """Return the column asked for, or the only one that holds numbers, at least mostly."""
    if column in names:
        return names.index(column)
    found = [i for i in range(len(names)) if np.isfinite(numbers[:, i]).mean() > 0.5]
    if column is None and len(found) == 1:
        return found[0]
    listed = ", ".join(map(repr, names))
    if column is not None:
        raise RecipeError(f"{file} must have a column {column!r}. Received: {listed}.")
    if not found:
        raise RecipeError(f"{file} must have a column of numbers. Received: {listed}.")
    raise RecipeError(
        f"{file} must have one column of numbers, or be told which. Received: {listed}. "
        f"Name it: --data {file}:{names[found[-1]]}"
    )
