"""The split of a folder's files as a run recorded it, kept although the folder changes."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kcatalog.recipe.data.base import Data
from kcatalog.recipe.data.files import Files
from kcatalog.recipe.data.findings import PARTS

Split = dict[str, dict[str, str]]  # part -> name of a file -> digest of its content and its label


@dataclass(frozen=True)
class Changes:
    """Names of files that differ from a recorded split: used to learn, in the test part, new."""

    learned: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class _Sample(NamedTuple):
    place: int
    label: np.ndarray
    digest: str  # of the file's content and the label


def split_of(data: Data, root: Path) -> Split | None:
    """Return the names of each part's files; None where samples are not one file each."""
    files = {part: _samples(data, part, root, data.classes) for part in PARTS}
    names = {name for samples in files.values() for name in samples}
    if len(names) < sum(len(getattr(data, part)[1]) for part in PARTS):
        return None
    return {part: {name: s.digest for name, s in files[part].items()} for part in PARTS}


def apply(data: Data, split: Split, root: Path, classes: tuple[str, ...]) -> tuple[Data, Changes]:
    """Split the files found now as before, and name those that have changed.

    A file that is gone is missing in its part. A new file is left out, and so is a new class.

    Args:
        data: the data as loaded now.
        split: the return value of `split_of` then.
        root: the folder of the files.
        classes: the classes then.
    """
    found = {n: s for part in PARTS for n, s in _samples(data, part, root, classes).items()}
    parts, changed = {}, {}
    for part in PARTS:
        x, y = getattr(data, part)
        kept = {n: found[n] for n in split[part] if n in found}
        changed[part] = [n for n, d in split[part].items() if n not in kept or kept[n].digest != d]
        places = np.array([s.place for s in kept.values()], int)
        labels = np.array([s.label for s in kept.values()], y.dtype)
        parts[part] = Files(x.shelf, places), labels.reshape(-1, *y.shape[1:])
    added = found.keys() - set().union(*split.values())
    learned = (*changed["train"], *changed["validation"])
    changes = Changes(learned, tuple(changed["test"]), tuple(sorted(added)))
    if changes.learned:
        return data, changes
    return dataclasses.replace(data, classes=classes, **parts), changes


def _samples(data: Data, part: str, root: Path, classes: tuple[str, ...]) -> dict[str, _Sample]:
    """Return samples by their files' names, labelled with positions in `classes`; -1 if in none."""
    x, y = getattr(data, part)
    if not isinstance(x, Files):
        return {}
    if y.ndim == 1 and data.classes != classes:
        positions = [classes.index(c) if c in classes else -1 for c in data.classes]
        y = np.array(positions, y.dtype)[y]
    found = {}
    for place, label in zip(x.places, y, strict=True):
        path = x.shelf.paths[place]
        name = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        digest = hashlib.sha256(x.shelf.digest(place) + label.tobytes()).hexdigest()
        found[name] = _Sample(int(place), label, digest)
    return found
