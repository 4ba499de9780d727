"""A confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcatalog.recipe.monitoring.pictures import figures

MOST_CLASSES = 32
CELL, SMALLEST = 0.36, 3.2  # inches: a cell, and the smallest matrix


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]):
    """Draw the counts of each true label's predictions, a row's shares as shades.

    With more than 32 classes, the most confused ones are drawn.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    counts = np.zeros((len(classes), len(classes)), "int64")
    np.add.at(counts, (np.ravel(labels), np.ravel(predicted)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = np.arange(len(classes))
    if len(classes) > MOST_CLASSES:
        shown = np.sort(most_confused(counts)[:MOST_CLASSES])
    counts, share = (values[np.ix_(shown, shown)] for values in (counts, share))
    names = [figures.readable(classes[i], i) for i in shown]

    side = max(SMALLEST, CELL * len(names))
    longest = figures.CHARACTER * max(map(len, names))
    turned = longest > side / len(names)
    drawn = figures.figure(side + longest + 0.6, side + (longest if turned else 0.3) + 0.7)
    axes = drawn.subplots()
    display = ConfusionMatrixDisplay(share, display_labels=names)
    display.plot(
        include_values=False,
        cmap="Blues",
        ax=axes,
        colorbar=False,
        xticks_rotation="vertical" if turned else "horizontal",
        im_kw={"vmin": 0, "vmax": 1},
    )
    axes.tick_params(labelsize=9)
    axes.set(xlabel="predicted label", ylabel="true label")
    if len(classes) > MOST_CLASSES:
        axes.set_title(f"{MOST_CLASSES} most confused of {len(classes)} classes", fontsize=10)
    for row, column in np.argwhere(counts):
        ink = "white" if share[row, column] > 0.5 else figures.TRUTH
        text = axes.text(
            column, row, _brief(counts[row, column]), ha="center", va="center", color=ink
        )
        text.set(fontsize=8, in_layout=False)  # cells have their size whatever stands in them
    return drawn


def most_confused(counts: np.ndarray) -> np.ndarray:
    """Return the classes by mistakes, as true or as predicted label, then by frequency.

    >>> most_confused(np.array([[9, 0, 0], [0, 1, 0], [0, 1, 5]])).tolist()
    [2, 1, 0]
    """
    frequency = counts.sum(axis=1)
    mistakes = frequency + counts.sum(axis=0) - 2 * np.diag(counts)
    return np.lexsort((-frequency, -mistakes))


def _brief(count: int) -> str:
    """Write a count so that it fits a cell.

    >>> _brief(9_999), _brief(45_678)
    ('9999', '46k')
    """
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"
