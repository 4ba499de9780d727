"""Forecasts: a median and a prediction interval for each step ahead."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.tasks.task import Task
from kcatalog.recipe.terminal import output

QUANTILES = (0.1, 0.5, 0.9)  # that models predict for each step
NAMES = ("low", "forecast", "high")  # the names of the quantiles in an export
BAND = 100 * (QUANTILES[2] - QUANTILES[0])  # % of values that should lie in the interval


class Forecast(Task):
    """Values some steps ahead; models end in quantiles (batch, steps, 3) in the data's units."""

    name, measure, better = "forecast", "mean absolute percentage error", "lower"
    ends_in = f"the quantiles {', '.join(map(str, QUANTILES))} of each step, in the data's units"
    pictures = ("forecasts", "errors by step ahead")

    def output_shape(self, data: Any):
        return (*data.train[1].shape[1:], len(QUANTILES))

    def score(self, labels: Any, outputs: Any) -> float:
        return percentage_error(labels, outputs)

    def predicted(self, outputs: Any):
        return median(outputs)

    def further(self, data: Any, outputs: Any):
        truth, before = data.test[1], last_season(data, data.test[0])
        return {
            f"coverage of the {BAND:.0f} % band, in %": coverage(truth, outputs),
            "mean absolute error": float(np.mean(np.abs(median(outputs) - truth))),
            "mean absolute percentage error of the last season": percentage_error(
                truth, np.repeat(before[..., None], 3, axis=-1)
            ),
        }

    def named(self, outputs: Any):
        exact = keras.backend.standardize_dtype(outputs.dtype) == "float64"
        outputs = outputs if exact else ops.cast(outputs, "float32")
        return {name: outputs[..., i] for i, name in enumerate(NAMES)}

    def outputs(self, answers: Any):
        return np.stack([answers[name] for name in NAMES], axis=-1)

    def show(self, console: Any, files: Any, described: Any) -> None:
        """Print a line for each step ahead: the forecast and its interval."""
        for file, each in zip(files, described, strict=True):
            console.rule(str(file))
            rows, digits = list(zip(*map(each.get, NAMES), strict=True)), _digits(each)
            steps = each.get("dates") or [str(step) for step in range(1, len(rows) + 1)]
            table = output.table("date" if "dates" in each else "step", *NAMES)
            for step, numbers in zip(steps, rows, strict=True):
                table.add_row(step, *(f"{number:.{digits}g}" for number in numbers))
            console.print(table)


def _digits(answer: dict[Any, Any]) -> int:
    """Return how many digits tell the ends of the intervals apart, 6 at least.

    >>> _digits({"low": [1e12], "forecast": [1e12 + 2], "high": [1e12 + 4]})
    14
    """
    low, _, high = (np.array(answer[name]) for name in NAMES)
    width = max(float(np.median(np.abs(high - low))), np.finfo("float64").tiny)
    ratio = max(float(np.abs(high).max()), width) / width
    return max(6, min(17, 2 + math.ceil(math.log10(ratio))))


def percentage_error(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the median's mean absolute percentage error, without steps whose truth is 0.

    >>> percentage_error(np.array([[10.0, 0.0]]), np.array([[[8.0, 9.0, 12.0], [0, 1, 2]]]))
    10.0
    """
    error, counted = np.abs(median(outputs) - truth), truth != 0
    return float(100 * np.mean(error[counted] / np.abs(truth[counted])))


def coverage(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the share of true values, in %, inside their prediction intervals.

    >>> coverage(np.array([[1.0, 2.0]]), np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]))
    50.0
    """
    return float(100 * np.mean((outputs[..., 0] <= truth) & (truth <= outputs[..., 2])))


def median(outputs: np.ndarray) -> np.ndarray:
    """Return the middle quantile, which counts as the forecast."""
    return outputs[..., 1]


def last_season(data: Any, histories: np.ndarray) -> np.ndarray:
    """Return the seasonal-naive forecast: the value one season earlier, or two for steps beyond it.

    Args:
        data: says the season and the horizon.
        histories: (samples, steps), raw.
    """
    season, horizon = data.details.season, data.test[1].shape[1]
    return histories[:, -season:][:, np.arange(horizon) % season]
