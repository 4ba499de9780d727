"""Findings: what was found in the data and what is done with them, said before the first trial."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kcatalog.recipe.data.files import Files

if TYPE_CHECKING:
    from kcatalog.recipe.data.base import Data

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Finding:
    """One line about the data: printed when a run begins, and stored in its record.

    about: a word or two for what it is about, such as "classes", "left out", "cut".
    text: what was found and what is done with it, in the words of the data.
    warning: whether the reader should look into it.
    """

    about: str
    text: str
    warning: bool = False


def listed(names: Iterable[Any], most: int = 5) -> str:
    """Return the first names, and how many more there are.

    >>> listed(["a.png", "b.png"]), listed("abcdefg", most=3)
    ('a.png, b.png', 'a, b, c and 4 more')
    """
    names = [str(name).encode(errors="replace").decode() for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(things: Iterable[Any]) -> str:
    """Return how often each thing occurs, the most frequent first.

    >>> counted([".mp3", ".heic", ".mp3"])
    '2 .mp3, 1 .heic'
    """
    return ", ".join(f"{n} {thing}" for thing, n in collections.Counter(things).most_common())


def of_split(data: Data) -> list[Finding]:
    """Describe how the samples were split, and how many there are of each class."""
    parts = [getattr(data, part) for part in PARTS]
    sizes = [len(y) for _, y in parts]
    words = ("to train", "to validate", "to test")
    numbers = ", ".join(f"{n} {word}" for n, word in zip(sizes, words, strict=True))
    found = [Finding("samples", f"{sum(sizes)}: {numbers}")]
    if parts[0][1].ndim == 1 and data.classes and parts[0][1].dtype.kind == "i":
        counts = sum(np.bincount(y, minlength=len(data.classes)) for _, y in parts)
        found.append(Finding("classes", _classes(data.classes, counts)))
    return found


def _classes(names: tuple[str, ...], counts: np.ndarray) -> str:
    if len(names) <= 10:
        each = ", ".join(f"{name} {n}" for name, n in zip(names, counts, strict=True))
        return f"{len(names)}: {each}"
    least, most = int(counts.argmin()), int(counts.argmax())
    return (
        f"{len(names)}, from {counts[least]} samples ({names[least]}) "
        f"to {counts[most]} ({names[most]})"
    )


def duplicates(data: Data) -> list[Finding]:
    """Find files that decode to the same sample (`Data.decode` comes first)."""
    if not isinstance(data.train[0], Files):
        return []
    where = collections.defaultdict(list)
    for part in PARTS:
        x, y = getattr(data, part)
        labels = y if y.ndim == 1 else np.zeros(len(y), int)
        for place, label in zip(x.places, labels, strict=True):
            where[x.shelf.hashes[place]].append((part, int(label), x.shelf.paths[place]))
    same = [found for found in where.values() if len(found) > 1]
    if not same:
        return []
    copies = sum(len(found) - 1 for found in same)
    words = "file has" if copies == 1 else "files have"
    text = f"{copies} {words} the same content as another"
    kinds = {
        "classes": [f for f in same if len({label for _, label, _ in f}) > 1],
        "parts": [f for f in same if len({part for part, _, _ in f}) > 1],
    }
    for kind, found in kinds.items():
        if found:
            pair = " and ".join(_different(found[0], kind))
            number = f"{len(found)} content{'s' if len(found) > 1 else ''}"
            text += f"; {number} in different {kind}, such as {pair}"
    return [Finding("duplicates", text, warning=any(kinds.values()))]


def _different(found: list[tuple[str, int, Path]], kind: str) -> list[str]:
    """Return the names of two files in different classes or parts."""
    key = 1 if kind == "classes" else 0
    other = next(each for each in found if each[key] != found[0][key])
    paths = found[0][2], other[2]
    shared = len(Path(os.path.commonpath([path.parent for path in paths])).parts)
    return ["/".join(path.parts[min(shared, len(path.parts) - 2) :]) for path in paths]
