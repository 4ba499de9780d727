"""Forecasts over time, and their errors by step ahead."""

from __future__ import annotations

import numpy as np

from kcatalog.recipe.monitoring.pictures import figures

MOST_WINDOWS = 21  # windows one after the other; more could not be told apart


def over_time(
    history: np.ndarray, truth: np.ndarray, quantiles: np.ndarray, every: int = 1, title: str = ""
):
    """Draw consecutive forecasts with their prediction intervals, beside the true values.

    Args:
        history: (steps,), the values before the first forecast.
        truth: (windows, steps ahead).
        quantiles: (windows, steps ahead, 3): low, median and high.
        every: steps from one window to the next.
        title: the figure's title.
    """
    horizon = truth.shape[1]
    chosen = np.arange(0, len(truth), max(1, horizon // every))[:MOST_WINDOWS]
    drawn = figures.figure(14, 4.5)
    axes = drawn.subplots()
    (past,) = axes.plot(np.arange(-len(history), 0), history, color="gray", linewidth=1)
    places = chosen[:, None] * every + np.arange(horizon)
    for steps, (low, median, high) in zip(places, quantiles[chosen].swapaxes(1, 2), strict=True):
        interval = axes.fill_between(steps, low, high, color=figures.MODEL, alpha=0.25, linewidth=0)
        (forecast,) = axes.plot(steps, median, color=figures.MODEL, linewidth=1.2)
    (true,) = axes.plot(
        np.ravel(places), np.ravel(truth[chosen]), color=figures.TRUTH, linewidth=0.8
    )
    axes.set(xlabel="step of the test split", ylabel="value", title=figures.plain(title))
    axes.margins(x=0.01)
    names = ("history", "truth", "forecast", "prediction interval")
    axes.legend((past, true, forecast, interval), names, loc="upper left", ncols=4)
    return drawn


def by_horizon(truth: np.ndarray, forecast: np.ndarray, baseline: np.ndarray):
    """Draw the error by step ahead beside the baseline's, and the residuals' distribution.

    Args:
        truth, forecast, baseline: (windows, steps ahead).
    """
    residuals, steps = truth - forecast, 1 + np.arange(truth.shape[1])
    drawn = figures.figure(8, 6)
    error, spread = drawn.subplots(2, sharex=True)
    for name, values, color in (
        ("forecast", residuals, figures.MODEL),
        ("seasonal naive", truth - baseline, figures.BASELINE),
    ):
        error.plot(steps, np.abs(values).mean(axis=0), ".-", color=color, label=name)
    error.set(ylabel="mean absolute error", ylim=(0, None))
    error.legend(loc="lower right")
    for far, shade in ((5, 0.2), (25, 0.4)):
        low, high = np.percentile(residuals, (far, 100 - far), axis=0)
        spread.fill_between(steps, low, high, color=figures.MODEL, alpha=shade, linewidth=0)
    spread.plot(steps, np.median(residuals, axis=0), color=figures.MODEL)
    spread.axhline(0, color=figures.TRUTH, linestyle="--", linewidth=0.8)
    spread.set(xlabel="steps ahead", ylabel="residual (truth - forecast)")
    spread.set_title("median, middle 50 % and middle 90 % of the residuals", fontsize=9)
    return drawn
