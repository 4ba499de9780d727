"""A reliability diagram: is 80 % right of what was predicted with 80 % confidence?"""

from __future__ import annotations

import keras
import numpy as np

from kcatalog.metrics import ExpectedCalibrationError
from kcatalog.recipe.monitoring.pictures import figures

BINS = 15


def calibration_curve(labels: np.ndarray, probabilities: np.ndarray):
    """Draw accuracy over confidence, and a histogram of the confidence below.

    The bins are those of `ExpectedCalibrationError`, which stands in the title.

    Args:
        labels: class indices, of any shape.
        probabilities: the labels' shape and an axis of classes.
    """
    from sklearn import calibration

    y, p = np.ravel(labels), probabilities.reshape(-1, probabilities.shape[-1]).astype("float32")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    accuracy, mean_confidence = calibration.calibration_curve(right, confidence, n_bins=BINS)
    error = float(keras.ops.convert_to_numpy(ExpectedCalibrationError(BINS)(y, p)))

    drawn = figures.figure(5, 5.5)
    curve, histogram = drawn.subplots(2, sharex=True, height_ratios=(4, 1))
    calibration.CalibrationDisplay(accuracy, mean_confidence, confidence).plot(
        ax=curve, color=figures.MODEL
    )
    curve.set(xlim=(0, 1), ylim=(0, 1), xlabel="", ylabel="accuracy")
    curve.set_title(f"Expected calibration error: {error:.4f}")
    curve.legend(["perfectly calibrated", "model"], loc="upper left")
    histogram.hist(confidence, BINS, range=(0, 1), color=figures.MODEL, edgecolor="white")
    histogram.set(xlabel="confidence", ylabel="samples")
    return drawn
