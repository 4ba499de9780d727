"""Numbered versions: `saved_models/<recipe>/<number>/`, as TensorFlow Serving wants them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from kcatalog.recipe.files import disk


def of(recipe: str) -> Path:
    """The folder of a recipe's versions."""
    return Path("saved_models") / recipe


def numbers(folder: Path) -> list[int]:
    """The versions that exist, oldest first."""
    return sorted(int(d.name) for d in folder.glob("*") if d.name.isdigit())


def newest(recipe: str) -> Path | None:
    """The highest exported version."""
    found = numbers(of(recipe))
    return of(recipe) / str(found[-1]) if found else None


def put_in_place(folder: Path, versions: Path) -> Path:
    """Rename to the next free number; renaming onto a version that exists fails by itself.

    All of its files reach the disk first, so that a power cut cannot leave half of a version.
    """
    for file in folder.rglob("*"):
        if file.is_file():
            disk.sync(file)
    number = max(numbers(versions), default=0)
    while True:
        number += 1
        target = versions / str(number)
        try:
            os.rename(folder, target)
        except OSError as e:
            if e.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                continue
            raise
        return target


def keep_newest(recipe: str, count: int) -> list[Path]:
    """Delete all but the newest `count` versions. Returns those that are gone.

    They are moved away first, so that nobody finds half of one, to where the next export sweeps
    up after this process if it is killed.
    """
    folder, gone = of(recipe), []
    with disk.workspace(folder) as doomed:
        for number in numbers(folder)[:-count]:
            version = folder / str(number)
            if not (version / "manifest.json").is_file():
                continue  # none of ours
            os.rename(version, doomed / version.name)
            gone.append(version)
    return gone
