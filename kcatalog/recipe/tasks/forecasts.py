"""Forecasts: a median and a band at each step ahead, and how good they are."""

from __future__ import annotations

import numpy as np

QUANTILES = (0.1, 0.5, 0.9)  # what a model puts out at each step
NAMES = ("low", "forecast", "high")  # what they are called where the model is served
BAND = 100 * (QUANTILES[2] - QUANTILES[0])  # % of what comes that should lie in the band


def percentage_error(truth: np.ndarray, outputs: np.ndarray) -> float:
    """The median's mean absolute percentage error; steps where the truth is 0 are left out.

    >>> percentage_error(np.array([[10.0, 0.0]]), np.array([[[8.0, 9.0, 12.0], [0, 1, 2]]]))
    10.0
    """
    error, counted = np.abs(median(outputs) - truth), truth != 0
    return float(100 * np.mean(error[counted] / np.abs(truth[counted])))


def coverage(truth: np.ndarray, outputs: np.ndarray) -> float:
    """The part of all true values, in %, that lies in its band.

    >>> coverage(np.array([[1.0, 2.0]]), np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]))
    50.0
    """
    return float(100 * np.mean((outputs[..., 0] <= truth) & (truth <= outputs[..., 2])))


def further(data, outputs: np.ndarray) -> dict[str, float]:
    """What else is worth knowing of the test part's forecasts."""
    truth, before = data.test[1], last_season(data, data.test[0])
    return {
        f"coverage of the {BAND:.0f} % band, in %": coverage(truth, outputs),
        "mean absolute error": float(np.mean(np.abs(median(outputs) - truth))),
        "mean absolute percentage error of the last season": percentage_error(
            truth, np.repeat(before[..., None], 3, axis=-1)
        ),
    }


def median(outputs: np.ndarray) -> np.ndarray:
    """The middle quantile: what counts as the forecast."""
    return outputs[..., 1]


def last_season(data, histories: np.ndarray) -> np.ndarray:
    """What stood one season before each step to forecast; of more steps than a season, two.

    Args:
        data: says the season and the horizon.
        histories: (samples, steps), raw.
    """
    season, horizon = data.details.season, data.test[1].shape[1]
    return histories[:, -season:][:, np.arange(horizon) % season]
