"""Sound as a model gets it: spectrograms of waveforms, coefficients of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcatalog.recipe.data.base import need
from kcatalog.recipe.monitoring.pictures import figures

WINDOW = 0.025  # seconds of one column; windows overlap by three quarters
RANGE = 80  # decibels below the maximum that are drawn
COLUMNS, WIDTH, HEIGHT = 4, 2.6, 2.4  # axes in a row, inches


def decibels(waveform: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequencies in Hz, times in s, and power in dB below the maximum."""
    spectrogram = need("scipy.signal", "scipy").spectrogram
    length = min(len(waveform), max(16, round(WINDOW * rate)))
    f, t, power = spectrogram(waveform, rate, "hann", length, length * 3 // 4, detrend=False)
    loudest = max(power.max(), np.finfo("float32").tiny)
    return f, t, 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE / 10)))


def spectrograms(waveforms: np.ndarray, rate: float, titles: Sequence[str]):
    """Draw waveforms (samples, time) as frequency over time."""
    drawn, places = figures.grid(len(waveforms), COLUMNS, WIDTH, HEIGHT, margin=0.8)
    for axes, waveform, title in zip(places, waveforms, titles, strict=True):
        _, t, level = decibels(waveform, rate)
        half = (t[1] - t[0]) / 2 if len(t) > 1 else len(waveform) / rate / 2
        image = axes.imshow(
            level,
            origin="lower",
            aspect="auto",
            extent=(t[0] - half, t[-1] + half, 0, rate / 2),
            vmin=-RANGE,
            vmax=0,
        )
        axes.set_title(title, fontsize=9)
        axes.set(xlabel="time (s)", ylabel="frequency (Hz)")
    drawn.colorbar(image, ax=places, label="power (dB below the maximum)")
    return drawn


def frames(utterances: np.ndarray, titles: Sequence[str]):
    """Draw frames (samples, steps, coefficients) without their padding."""
    drawn, places = figures.grid(len(utterances), COLUMNS, WIDTH, HEIGHT, margin=0.8)
    far = max(float(np.abs(utterances).max()), 1e-9)
    for axes, utterance, title in zip(places, utterances, titles, strict=True):
        image = axes.imshow(
            utterance[: unpadded(utterance)].T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="RdBu_r",
            vmin=-far,
            vmax=far,
        )
        axes.set_title(title, fontsize=9)
        axes.set(xlabel="frame", ylabel="coefficient")
    drawn.colorbar(image, ax=places, label="value")
    return drawn


def unpadded(utterance: np.ndarray) -> int:
    """Count the frames before the zeros at the end, at least one.

    >>> unpadded(np.array([[1.0], [0.0], [2.0], [0.0], [0.0]]))
    3
    """
    real = np.flatnonzero(utterance.any(axis=1))
    return int(real[-1]) + 1 if len(real) else 1
