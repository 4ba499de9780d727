"""Drawings for TensorBoard: a confusion matrix, and samples with what the model makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont  # TensorBoard brings Pillow

MOST_CLASSES = 32
INK, PAPER = (32, 32, 32), (255, 255, 255)
RIGHT, WRONG = (0, 110, 50), (190, 20, 30)


def confusion_matrix(
    labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """Rows are true classes, columns predicted ones, cells counts; darker is more of the row.

    Of more than 32 classes the most frequent ones are shown.
    """
    labels, predicted = np.ravel(labels), np.ravel(predicted)
    shown = np.argsort(-np.bincount(labels, minlength=len(classes)), kind="stable")[:MOST_CLASSES]
    shown = np.sort(shown)
    counts = np.zeros((len(classes), len(classes)), "int64")
    np.add.at(counts, (labels, predicted), 1)
    counts = counts[np.ix_(shown, shown)]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    names = [_short(classes[i]) for i in shown]
    cell = max(22, 360 // len(shown))
    font = ImageFont.load_default(size=11)
    margin = 30 + max(int(font.getlength(n)) for n in names)
    size = margin + cell * len(shown) + 8
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((4, 2), "rows: true, columns: predicted", INK, font)
    for i, name in enumerate(names):
        at = margin + cell * i
        draw.text((margin - 6, at + cell // 2), name, INK, font, anchor="rm")
        draw.text((at + cell // 2, margin - 6), name[:4], INK, font, anchor="mb")
        for j, count in enumerate(counts[i]):
            left, p = margin + cell * j, share[i, j]
            shade = tuple(round(255 - p * (255 - deep)) for deep in (20, 70, 140))
            draw.rectangle((left, at, left + cell - 2, at + cell - 2), shade)
            if count:
                middle = (left + cell // 2 - 1, at + cell // 2 - 1)
                draw.text(middle, str(count), PAPER if p > 0.5 else INK, font, anchor="mm")
    return np.asarray(image)


def samples(
    x: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    picture: Callable[[np.ndarray], np.ndarray],
    most: int = 16,
) -> np.ndarray:
    """Samples with the predicted class, wrong ones first and in red with the true class."""
    chosen = np.argsort(predicted == labels, kind="stable")[:most]
    pictures = [picture(x[i]) for i in chosen]
    font = ImageFont.load_default(size=11)
    captions = [
        _short(classes[p]) + ("" if p == y else f", not {_short(classes[y])}")
        for p, y in zip(predicted[chosen], labels[chosen], strict=True)
    ]
    height = max(p.shape[0] for p in pictures)
    width = max(max(p.shape[1] for p in pictures), *(int(font.getlength(c)) for c in captions), 64)
    rows = -(-len(chosen) // 4)
    image = Image.new("RGB", (4 * (width + 8), rows * (height + 26)), PAPER)
    draw = ImageDraw.Draw(image)
    for n, (i, drawn, caption) in enumerate(zip(chosen, pictures, captions, strict=True)):
        left, top = n % 4 * (width + 8) + 4, n // 4 * (height + 26) + 4
        image.paste(Image.fromarray(np.ascontiguousarray(drawn)), (left, top))
        color = RIGHT if predicted[i] == labels[i] else WRONG
        draw.text((left, top + height + 3), caption, color, font)
    return np.asarray(image)


def _short(name: str) -> str:
    """A class name that fits; white space made visible, and only what the font can draw."""
    name = {" ": "space", "\n": "\\n", "\t": "\\t"}.get(name, name)
    return "".join(c if " " <= c <= "ÿ" else "?" for c in name[:14])
