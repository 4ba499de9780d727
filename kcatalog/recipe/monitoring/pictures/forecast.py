"""Forecasts: the series, what was forecast of it with its band, and the errors by step ahead."""

from __future__ import annotations

import numpy as np

from kcatalog.recipe.monitoring.pictures import canvas
from kcatalog.recipe.tasks import forecasts

MOST_WINDOWS = 21  # that follow one another; more could not be told apart


def over_time(data, outputs: np.ndarray) -> np.ndarray:
    """History, then truth, median and band, forecast anew each time the last one ends.

    Args:
        data: of task "forecast".
        outputs: for each window of `data.test`, (windows, steps, quantiles).
    """
    (x, y), every = data.test, data.details.every
    horizon = y.shape[1]
    chosen = np.arange(0, len(x), max(1, horizon // every))[:MOST_WINDOWS]
    past = x[0, -min(x.shape[1], 2 * max(horizon, data.details.season)) :]
    drawn = canvas.figure(14, 4.5)
    axes = drawn.subplots()
    (history,) = axes.plot(np.arange(-len(past), 0), past, color="gray", linewidth=1)
    places = chosen[:, None] * every + np.arange(horizon)
    for steps, (low, middle, high) in zip(places, outputs[chosen].swapaxes(1, 2), strict=True):
        band = axes.fill_between(steps, low, high, color=canvas.MODEL, alpha=0.25, linewidth=0)
        (forecast,) = axes.plot(steps, middle, color=canvas.MODEL, linewidth=1.2)
    (truth,) = axes.plot(np.ravel(places), np.ravel(y[chosen]), color=canvas.TRUTH, linewidth=0.8)
    held = forecasts.coverage(y, outputs)
    axes.set_title(
        f"{canvas.plain(data.name)}, {horizon} steps ahead: {held:.1f} % of the truth lie in "
        f"the {forecasts.BAND:.0f} % band"
    )
    axes.set(xlabel="step of the test part")
    axes.margins(x=0.01)
    names = ("history", "truth", "forecast", f"{forecasts.BAND:.0f} % band")
    axes.legend((history, truth, forecast, band), names, loc="upper left", ncols=4)
    return canvas.pixels(drawn)


def by_horizon(data, outputs: np.ndarray) -> np.ndarray:
    """For each step ahead: the error's size next to that of the last season, and its spread."""
    x, y = data.test
    residuals = y - forecasts.median(outputs)
    before = np.abs(y - forecasts.last_season(data, x)).mean(axis=0)
    steps = 1 + np.arange(y.shape[1])
    drawn = canvas.figure(8, 6)
    size, spread = drawn.subplots(2, sharex=True)
    size.plot(steps, np.abs(residuals).mean(axis=0), ".-", color=canvas.MODEL, label="forecast")
    size.plot(steps, before, ".-", color=canvas.OTHER, label="last season")
    size.set(ylabel="mean absolute error", ylim=(0, None))
    size.legend(loc="lower right")
    for far, shade in ((5, 0.2), (25, 0.4)):
        low, high = np.percentile(residuals, (far, 100 - far), axis=0)
        spread.fill_between(steps, low, high, color=canvas.MODEL, alpha=shade, linewidth=0)
    spread.plot(steps, np.median(residuals, axis=0), color=canvas.MODEL)
    spread.axhline(0, color=canvas.TRUTH, linestyle="--", linewidth=0.8)
    spread.set(xlabel="steps ahead", ylabel="truth - forecast")
    spread.set_title("median, half and nine tenths of the residuals", fontsize=9)
    return canvas.pixels(drawn)
