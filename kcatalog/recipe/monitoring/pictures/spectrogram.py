"""Sound as a model hears it: spectrograms of waveforms, coefficients of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcatalog.recipe.data.base import need
from kcatalog.recipe.monitoring.pictures import canvas

WINDOW = 0.025  # seconds that one column looks at; they overlap by three quarters
RANGE = 80  # decibels below the loudest place that are shown
COLUMNS = 4


def decibels(waveform: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies in Hz, times in s, and the power at each in dB below the loudest."""
    spectrogram = need("scipy.signal", "scipy").spectrogram
    length = min(len(waveform), max(16, round(WINDOW * rate)))
    f, t, power = spectrogram(waveform, rate, "hann", length, length * 3 // 4, detrend=False)
    loudest = max(power.max(), np.finfo("float32").tiny)
    return f, t, 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE / 10)))


def spectrograms(waveforms: np.ndarray, rate: float, titles: Sequence[str]) -> np.ndarray:
    """Waveforms (samples, time): frequency over time, brighter is louder."""
    drawn, places = _grid(len(waveforms))
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
        axes.set_title(canvas.plain(title), fontsize=9)
        axes.set(xlabel="s", ylabel="Hz")
    drawn.colorbar(image, ax=places, label="dB, the loudest at 0")
    return canvas.pixels(drawn)


def frames(utterances: np.ndarray, titles: Sequence[str]) -> np.ndarray:
    """Frames (samples, steps, coefficients): coefficient over frame, padding left out."""
    drawn, places = _grid(len(utterances))
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
        axes.set_title(canvas.plain(title), fontsize=9)
        axes.set(xlabel="frame", ylabel="coefficient")
    drawn.colorbar(image, ax=places)
    return canvas.pixels(drawn)


def unpadded(utterance: np.ndarray) -> int:
    """Frames before the zeros that were padded; one at least.

    >>> unpadded(np.array([[1.0], [0.0], [2.0], [0.0], [0.0]]))
    3
    """
    real = np.flatnonzero(utterance.any(axis=1))
    return int(real[-1]) + 1 if len(real) else 1


def _grid(count: int):
    """A figure with so many axes in it, four in a row."""
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    drawn = canvas.figure(0.8 + 2.6 * columns, 2.4 * rows)
    places = drawn.subplots(rows, columns, squeeze=False).ravel()
    for unused in places[count:]:
        unused.remove()
    return drawn, list(places[:count])
