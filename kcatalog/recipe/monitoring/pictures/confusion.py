"""A confusion matrix: which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from kcatalog.recipe.monitoring.pictures.lettering import font, readable
from kcatalog.recipe.monitoring.pictures.samples import INK, PAPER

MOST_CLASSES = 32


def confusion_matrix(
    labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """Rows are true classes, columns predicted ones, cells counts; darker is more of the row.

    Of more than 32 classes those with the most mistakes are shown, then the most frequent.
    """
    counts = np.zeros((len(classes), len(classes)), "int64")
    np.add.at(counts, (np.ravel(labels), np.ravel(predicted)), 1)
    total, title = counts.sum(axis=1, keepdims=True), "rows: true, columns: predicted"
    shown = np.arange(len(classes))
    if len(classes) > MOST_CLASSES:
        shown = np.sort(most_confused(counts)[:MOST_CLASSES])
        title += f"; {MOST_CLASSES} of {len(classes)} classes"
    counts = counts[np.ix_(shown, shown)]
    share = counts / np.maximum(total[shown], 1)

    names = [readable(classes[i], i) for i in shown]
    cell = max(22, 360 // len(shown))
    margin = 30 + max(int(font().getlength(n)) for n in names)
    size = margin + cell * len(shown) + 8
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((4, 2), title, INK, font())
    for i, name in enumerate(names):
        at = margin + cell * i
        draw.text((margin - 6, at + cell // 2), name, INK, font(), anchor="rm")
        draw.text((at + cell // 2, margin - 6), name[:4], INK, font(), anchor="mb")
        for j, count in enumerate(counts[i]):
            left, p = margin + cell * j, share[i, j]
            shade = tuple(round(255 - p * (255 - deep)) for deep in (20, 70, 140))
            draw.rectangle((left, at, left + cell - 2, at + cell - 2), shade)
            if count:
                middle = (left + cell // 2 - 1, at + cell // 2 - 1)
                draw.text(middle, _brief(count), PAPER if p > 0.5 else INK, font(), anchor="mm")
    return np.asarray(image)


def most_confused(counts: np.ndarray) -> np.ndarray:
    """Classes in order of their mistakes, as truth or as answer; then of their frequency.

    >>> most_confused(np.array([[9, 0, 0], [0, 1, 0], [0, 1, 5]])).tolist()
    [2, 1, 0]
    """
    frequency = counts.sum(axis=1)
    mistakes = frequency + counts.sum(axis=0) - 2 * np.diag(counts)
    return np.lexsort((-frequency, -mistakes))


def _brief(count: int) -> str:
    """A count that fits a cell.

    >>> _brief(999), _brief(45_678)
    ('999', '46k')
    """
    return str(count) if count < 1000 else f"{count / 1000:.0f}k"
