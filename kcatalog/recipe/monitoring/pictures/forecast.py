"""Forecasts over time, and their errors by step ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcatalog.recipe.data import dates
from kcatalog.recipe.data.series import SeriesDetails
from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.predictions import Predictions
from kcatalog.recipe.tasks.forecast import BAND, coverage, last_season

MOST_WINDOWS = 21  # windows one after the other; more could not be told apart


def forecasts(p: Predictions):
    """Draw consecutive forecasts with their prediction intervals, beside the true values."""
    (x, y), details = p.samples, p.data.details
    horizon = y.shape[1]
    history = x[0, -min(x.shape[1], 2 * max(horizon, details.season)) :]
    chosen = np.arange(0, len(y), max(1, horizon // details.every))[:MOST_WINDOWS]
    drawn = figures.figure(14, 4.5)
    axes = drawn.subplots()
    when, xlabel = _axis(details)
    past = np.arange(-len(history), 0)
    (past,) = axes.plot(when(past), history, color="gray", linewidth=1)
    places = chosen[:, None] * details.every + np.arange(horizon)
    for places_ahead, quantiles in zip(places, p.outputs[chosen].swapaxes(1, 2), strict=True):
        steps, (low, median, high) = when(places_ahead), quantiles
        interval = axes.fill_between(steps, low, high, color=figures.MODEL, alpha=0.25, linewidth=0)
        (forecast,) = axes.plot(steps, median, color=figures.MODEL, linewidth=1.2)
    (true,) = axes.plot(
        when(np.ravel(places)), np.ravel(y[chosen]), color=figures.TRUTH, linewidth=0.8
    )
    title = (
        f"{p.data.name}, {horizon} steps ahead: the {BAND:.0f} % prediction interval "
        f"covers {coverage(y, p.outputs):.1f} %"
    )
    axes.set(xlabel=xlabel, ylabel="value", title=figures.plain(title))
    axes.margins(x=0.01)
    names = ("history", "truth", "forecast", "prediction interval")
    axes.legend((past, true, forecast, interval), names, loc="upper left", ncols=4)
    return drawn


def _axis(details: SeriesDetails) -> tuple[Callable[..., Any], str]:
    """Return a function from steps of the test split to places on the axis, and its label."""
    if not details.step:
        return np.asarray, "step of the test split"
    start = np.datetime64(details.start)
    return lambda steps: dates.after(start, details.step, steps).to_numpy(), "date"


def errors_by_step_ahead(p: Predictions):
    """Draw the error by step ahead beside the baseline's, and the residuals' distribution."""
    x, y = p.samples
    residuals, steps = y - p.predicted, 1 + np.arange(y.shape[1])
    drawn = figures.figure(8, 6)
    error, spread = drawn.subplots(2, sharex=True)
    for name, values, color in (
        ("forecast", residuals, figures.MODEL),
        ("seasonal naive", y - last_season(p.data, x), figures.BASELINE),
    ):
        error.plot(steps, np.abs(values).mean(axis=0), ".-", color=color, label=name)
    error.set(ylabel="mean absolute error", ylim=(0, None))
    error.legend(loc="lower right")
    for far, shade in ((5, 0.2), (25, 0.4)):
        low, high = np.percentile(residuals, (far, 100 - far), axis=0)
        spread.fill_between(steps, low, high, color=figures.MODEL, alpha=shade, linewidth=0)
    spread.plot(steps, np.median(residuals, axis=0), color=figures.MODEL)
    spread.axhline(0, color=figures.TRUTH, linestyle="--", linewidth=0.8)
    step = f"steps of {p.data.details.step}" if p.data.details.step else "steps"
    spread.set(xlabel=f"{step} ahead", ylabel="residual (truth - forecast)")
    spread.set_title("median, middle 50 % and middle 90 % of the residuals", fontsize=9)
    return drawn
