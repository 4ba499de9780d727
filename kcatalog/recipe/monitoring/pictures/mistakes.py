"""The worst mistakes, those with the least probability of the true label, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kcatalog.recipe.monitoring.pictures.figures import VISIBLE

MARKDOWN = "\\`*_{}[]<>#|&~"


def worst(labels: np.ndarray, probabilities: np.ndarray, most: int = 16) -> np.ndarray:
    """Return the indices of the mistakes, the highest cross-entropy first.

    >>> worst(np.array([0, 0, 1]), np.array([[0.4, 0.6], [0.1, 0.9], [0.0, 1.0]])).tolist()
    [1, 0]
    """
    right = np.take_along_axis(probabilities, labels[:, None].astype("int64"), axis=1)[:, 0]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(right[wrong], kind="stable")][:most]


def table(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """Write the worst mistakes as a Markdown table, with class names in any script."""
    chosen = worst(labels, probabilities)
    if not len(chosen):
        return f"No mistakes in {len(labels)} samples."
    return _table("sample", map(str, chosen), labels[chosen], probabilities[chosen], classes)


def character_table(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """Write the least expected characters of texts as a Markdown table, with what precedes them."""
    flat = probabilities.reshape(-1, probabilities.shape[-1])
    chosen = worst(np.ravel(labels), flat)
    contexts = []
    for place in chosen:
        window, at = divmod(int(place), labels.shape[1])
        contexts.append(cell("".join(classes[c] for c in labels[window, max(0, at - 30) : at])))
    return _table("context", contexts, np.ravel(labels)[chosen], flat[chosen], classes)


def _table(first: str, cells: Iterable[str], labels, probabilities, classes) -> str:
    rows = [f"| {first} | true label | probability | predicted label | probability |"]
    rows.append("|---" * 5 + "|")
    for start, y, p in zip(cells, labels, probabilities, strict=True):
        predicted = p.argmax()
        rows.append(
            f"| {start} | {cell(classes[y])} | {p[y]:.2g} "
            f"| {cell(classes[predicted])} | {p[predicted]:.2f} |"
        )
    return "\n".join(rows)


def cell(text: str) -> str:
    """Escape text for a cell of a Markdown table.

    >>> cell("a|b"), cell(" ")
    ('a&#124;b', 'space')
    """
    text = VISIBLE.get(text, text.replace("\n", "⏎").replace("\t", "→"))
    return "".join(f"&#{ord(c)};" if c in MARKDOWN else c for c in text)
