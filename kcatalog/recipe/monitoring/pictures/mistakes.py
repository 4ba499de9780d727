"""The worst mistakes: where the true class was given the least probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcatalog.recipe.monitoring.pictures.lettering import VISIBLE, readable
from kcatalog.recipe.monitoring.pictures.samples import WRONG, Picture, side_by_side

MARKDOWN = "\\`*_{}[]<>#|&~"


def worst(labels: np.ndarray, probabilities: np.ndarray, most: int = 16) -> np.ndarray:
    """Indices of wrong answers, the one with the highest cross-entropy first.

    >>> worst(np.array([0, 0, 1]), np.array([[0.4, 0.6], [0.1, 0.9], [0.0, 1.0]])).tolist()
    [1, 0]
    """
    right = np.take_along_axis(probabilities, labels[:, None].astype("int64"), axis=1)[:, 0]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(right[wrong], kind="stable")][:most]


def mistakes(
    x: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    picture: Picture,
) -> np.ndarray | None:
    """The worst mistakes, each with the answer and the truth and their probabilities.

    None where there are none.
    """
    chosen, captions = worst(labels, probabilities), []
    for i in chosen:
        p, y = probabilities[i].argmax(), labels[i]
        captions.append(
            f"{readable(classes[p], p)} {probabilities[i, p]:.2f}\n"
            f"not {readable(classes[y], y)} {probabilities[i, y]:.2g}"
        )
    if not captions:
        return None
    return side_by_side([picture(x[i]) for i in chosen], captions, [WRONG] * len(chosen))


def table(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """The worst mistakes in Markdown, where names in any script can be read."""
    rows = ["| sample | true | its p | predicted | its p |", "|---|---|---|---|---|"]
    for i in worst(labels, probabilities):
        p, y = probabilities[i].argmax(), labels[i]
        rows.append(
            f"| {i} | {cell(classes[y])} | {probabilities[i, y]:.2g} "
            f"| {cell(classes[p])} | {probabilities[i, p]:.2f} |"
        )
    return "\n".join(rows) if rows[2:] else f"None: all {len(labels)} are right."


def character_table(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """The characters of a text that were expected least, with what stood before them."""
    wide = probabilities.reshape(-1, probabilities.shape[-1])
    rows = ["| before | came | its p | expected | its p |", "|---|---|---|---|---|"]
    for place in worst(np.ravel(labels), wide):
        window, at = divmod(int(place), labels.shape[1])
        before = "".join(classes[c] for c in labels[window, max(0, at - 30) : at])
        p, y = wide[place].argmax(), labels[window, at]
        rows.append(
            f"| {cell(before)} | {cell(classes[y])} | {wide[place, y]:.2g} "
            f"| {cell(classes[p])} | {wide[place, p]:.2f} |"
        )
    return "\n".join(rows)


def cell(text: str) -> str:
    """Text as it is, in a cell of a Markdown table.

    >>> cell("a|b"), cell(" ")
    ('a&#124;b', 'space')
    """
    text = VISIBLE.get(text, text.replace("\n", "⏎").replace("\t", "→"))
    return "".join(f"&#{ord(c)};" if c in MARKDOWN else c for c in text)
