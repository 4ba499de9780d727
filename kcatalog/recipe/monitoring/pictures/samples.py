"""Pictures of samples: images, texts and sounds with their predictions, masks over images."""

from __future__ import annotations

import numpy as np

from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.classes import worst
from kcatalog.recipe.monitoring.pictures.predictions import Predictions

MOST = 16  # images in a picture
SOUNDS = 8
NAME = 26  # characters of a file's name on a line
OVERLAID = 4  # images with masks
TEXTS, WIDTH = 8, 60  # texts, characters of one
WINDOW = 0.025  # seconds of a spectrogram's column; windows overlap by three quarters
RANGE = 80  # decibels below the maximum that are drawn


def sample_predictions(p: Predictions):
    """Draw samples with their predicted labels, mistakes first and in red; of texts, write some."""
    (x, y), picture = p.samples, p.data.picture
    if y.ndim > 1:
        return _texts(p)
    if picture is None:
        return None
    chosen, captions = _mistakes_first(p, MOST)
    colors = [figures.RIGHT if p.predicted[i] == y[i] else figures.WRONG for i in chosen]
    return figures.side_by_side([picture(x[i]) for i in chosen], captions, colors)


def worst_mistakes(p: Predictions):
    """Draw the mistakes with the least probability of the true label, if there are any."""
    x, picture, chosen = p.samples[0], p.data.picture, worst(p, MOST)
    if picture is None or not len(chosen):
        return None
    shown = [picture(x[i]) for i in chosen]
    captions = [_caption(p, i, p.probabilities[i]) for i in chosen]
    return figures.side_by_side(shown, captions, [figures.WRONG] * len(chosen))


def _mistakes_first(p: Predictions, most: int) -> tuple[np.ndarray, list[str]]:
    """Return the indices of some samples, and a caption of each if there are classes."""
    if not p.data.classes:
        chosen = np.arange(len(p.samples[1]))[:most]
        return chosen, [_file(p, i) for i in chosen]
    chosen = np.argsort(p.predicted == p.samples[1], kind="stable")[:most]
    return chosen, [_caption(p, i) for i in chosen]


def _caption(p: Predictions, sample: int, probabilities: np.ndarray | None = None) -> str:
    """Write a sample's predicted label, its true label if that is another, and its file."""
    label, predicted = p.samples[1][sample], p.predicted[sample]
    names = [figures.readable(p.data.classes[i], i) for i in (predicted, label)]
    file = f"\n{_file(p, sample)}".rstrip()
    if label == predicted:
        return names[0] + file
    if probabilities is not None:
        names[0] += f" {probabilities[predicted]:.2f}"
        names[1] += f" {probabilities[label]:.2g}"
    return f"predicted {names[0]}\ntrue {names[1]}{file}"


def _file(p: Predictions, sample: int) -> str:
    """Return the name of a sample's file in lines of a caption's width, or nothing."""
    return figures.folded(p.file(sample) or "", NAME)


def _texts(p: Predictions) -> str:
    """Write texts line by line, each above the characters that were predicted for it."""
    rows = []
    for true, predicted in zip(p.samples[1][:TEXTS], p.predicted, strict=False):
        for title, ids in (("true     ", true), ("predicted", predicted)):
            line = "".join(p.data.classes[i] for i in ids[:WIDTH]).replace("\n", "⏎")
            rows.append(f"    {title}: {line}")
        rows.append("    ")
    return "\n".join(rows)


def masks(p: Predictions):
    """Draw images, each beside its true and its predicted mask, with a legend of the classes."""
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    (x, y), names = p.samples, figures.readable_names(p.data.classes)
    palette = np.array(colormaps["tab10" if len(names) <= 10 else "tab20"].colors)
    colors = palette[np.arange(len(names)) % len(palette)]
    shown = []
    for sample, *both in zip(x[:OVERLAID], y, p.predicted, strict=False):
        image = p.data.picture(sample)
        shown += [image, *(_overlay(image, mask, colors) for mask in both)]
    captions = []
    for i in range(len(shown) // 3):
        captions += [_file(p, i) or "input", "true mask", "predicted mask"]
    margin = 0.6 + figures.CHARACTER * max(map(len, names))
    drawn = figures.side_by_side(shown, captions, [figures.TRUTH] * len(shown), 3, margin)
    drawn.legend([Patch(color=c) for c in colors], names, loc="upper right", fontsize=8)
    return drawn


def _overlay(image: np.ndarray, mask: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Blend an image with its mask's colors."""
    factor = len(image) // len(mask)  # small images are shown enlarged
    painted = colors[mask].repeat(factor, axis=0).repeat(factor, axis=1)
    return (0.4 * image + 0.6 * 255 * painted).astype("uint8")


def spectrograms(p: Predictions):
    """Draw waveforms as frequency over time, mistakes first."""
    rate, (chosen, titles) = p.data.details.rate, _mistakes_first(p, SOUNDS)
    waveforms = p.samples[0][chosen]
    _, t, levels = decibels(waveforms, rate)
    half = (t[1] - t[0]) / 2 if len(t) > 1 else waveforms.shape[1] / rate / 2
    extent = (t[0] - half, t[-1] + half, 0, rate / 2)
    labels = ("time (s)", "frequency (Hz)", "power (dB below the maximum)")
    how = {"origin": "lower", "aspect": "auto", "extent": extent, "vmin": -RANGE, "vmax": 0}
    return figures.grid(levels, titles, (2.6, 2.4), labels, **how)


def decibels(waveforms: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequencies in Hz, times in s, and each waveform's power in dB below its maximum."""
    from scipy.signal import spectrogram

    length = min(waveforms.shape[1], max(16, round(WINDOW * rate)))
    f, t, power = spectrogram(waveforms, rate, "hann", length, length * 3 // 4, detrend=False)
    loudest = np.maximum(power.max(axis=(1, 2), keepdims=True), np.finfo("float32").tiny)
    return f, t, 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE / 10)))


def frames(p: Predictions):
    """Draw frames by coefficient, without the zeros that pad them at the end, mistakes first."""
    chosen, titles = _mistakes_first(p, SOUNDS)
    utterances = p.samples[0][chosen]
    lengths = [len(np.trim_zeros(x.any(axis=1), "b")) for x in utterances]
    images = [x[: max(1, n)].T for x, n in zip(utterances, lengths, strict=True)]
    far = max(float(np.abs(utterances).max()), 1e-9)
    labels = ("frame", "coefficient", "value")
    how = {"origin": "lower", "aspect": "auto", "cmap": "RdBu_r", "vmin": -far, "vmax": far}
    return figures.grid(images, titles, (2.6, 2.4), labels, interpolation="nearest", **how)
