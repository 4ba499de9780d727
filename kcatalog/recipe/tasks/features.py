"""Samples as rows of numbers, which baselines learn from and embeddings are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcatalog.recipe.data import Data
from kcatalog.recipe.data.base import need
from kcatalog.recipe.data.files import draw, join, take

PIECE = 1000  # samples at a time
MOST_SAMPLES = 5000  # learned from, or compared with each other: time grows with the square


def pieces(x, size: int = PIECE) -> list[slice]:
    """Return the slices that divide samples into pieces, which bound the memory that is used."""
    return [slice(i, i + size) for i in range(0, len(x), size)]


def features(x) -> np.ndarray:
    """Flatten each sample to a row of numbers.

    A waveform becomes its spectrum in decibels: mean and deviation over time in 64 bands.
    """
    return np.concatenate([_rows(np.asarray(x[piece])) for piece in pieces(x)])


def _rows(x: np.ndarray) -> np.ndarray:
    if x.ndim == 2 and x.shape[1] > 1024:
        windows = x[:, : x.shape[1] // 512 * 512].reshape(len(x), -1, 512) * np.hanning(512)
        power = np.abs(np.fft.rfft(windows)[..., :256]) ** 2
        bands = np.log10(power.reshape(*power.shape[:2], 64, 4).sum(axis=-1) + 1e-8)
        return np.concatenate([bands.mean(axis=1), bands.std(axis=1)], axis=1)
    return x.reshape(len(x), -1).astype("float32")


def known(data: Data) -> tuple[Any, np.ndarray]:
    """Return the samples and labels of training and validation, all that a baseline learns from."""
    y = np.concatenate([data.train[1], data.validation[1]])
    return join(data.train[0], data.validation[0]), y


def scaled(data: Data) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the scaler of features, and the scaled features and labels of some known samples."""
    scaler = need("sklearn.preprocessing", "scikit-learn").StandardScaler(copy=False)
    x, y = known(data)
    places = draw(len(y), MOST_SAMPLES)
    return scaler, scaler.fit_transform(features(take(x, places))), y[places]


def scaled_features(data: Data, places: np.ndarray) -> np.ndarray:
    """Return test features, standardized with the training set's statistics."""
    return scaled(data)[0].transform(features(take(data.test[0], places)))
