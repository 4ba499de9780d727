"""A reliability diagram: of all that was said with 80 % confidence, was 80 % right?"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from kcatalog.metrics import ExpectedCalibrationError
from kcatalog.recipe.monitoring.pictures import canvas

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """For each bin of confidence: how many samples, how sure, how many right; and the ECE."""

    size: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Samples in bins as `kcatalog.metrics.ExpectedCalibrationError` bins them."""
    y, p = np.ravel(labels), probabilities.reshape(-1, probabilities.shape[-1]).astype("float32")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    m = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    size, sure, hits = (np.bincount(m, w, BINS) for w in (None, confidence, right))
    filled = np.maximum(size, 1)
    metric = ExpectedCalibrationError(BINS)
    error = float(keras.ops.convert_to_numpy(metric(y, p)))
    return Reliability(size, sure / filled, hits / filled, error)


def calibration_curve(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Accuracy over confidence, next to the diagonal; below, how many samples are that sure."""
    from matplotlib.ticker import PercentFormatter

    found = reliability(labels, probabilities)
    drawn = canvas.figure(5, 5.5)
    curve, counts = drawn.subplots(2, sharex=True, height_ratios=(4, 1))
    left, width = np.arange(BINS) / BINS, 1 / BINS
    curve.bar(left, found.accuracy, width, align="edge", color=canvas.MODEL, edgecolor="white")
    filled = found.size > 0
    curve.plot(found.confidence[filled], found.accuracy[filled], "o", color=canvas.OTHER)
    curve.plot([0, 1], [0, 1], color=canvas.TRUTH, linestyle="--")
    curve.set(xlim=(0, 1), ylim=(0, 1), ylabel="of them right")
    curve.set_title(f"Expected calibration error: {found.error:.4f}")
    counts.bar(left, found.size, width, align="edge", color=canvas.MODEL, edgecolor="white")
    counts.set(xlabel="confidence", ylabel="answers")
    for axis in (curve.xaxis, curve.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    return canvas.pixels(drawn)
