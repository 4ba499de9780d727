"""Numbered versions: `saved_models/<recipe>/<number>/`, as TensorFlow Serving wants them."""

from __future__ import annotations

from pathlib import Path

from kcatalog.recipe.files import disk


def of(recipe: str) -> Path:
    """Return the folder of a recipe's versions."""
    return Path("saved_models") / recipe


def numbers(folder: Path) -> list[int]:
    """Return the versions that exist, oldest first."""
    return sorted(int(d.name) for d in folder.glob("*") if d.name.isdigit())


def newest(recipe: str) -> Path | None:
    """Return the folder of the newest version."""
    found = numbers(of(recipe))
    return of(recipe) / str(found[-1]) if found else None


def put_in_place(folder: Path, versions: Path) -> Path:
    """Rename a folder to the next number. Returns its new path.

    Its files are synced to the disk first, so that a power failure cannot leave half of a version.
    No other export works in `versions` meanwhile (`disk.workspace`).
    """
    for file in folder.rglob("*"):
        if file.is_file():
            disk.sync(file)
    return folder.rename(versions / str(max(numbers(versions), default=0) + 1))


def keep_newest(recipe: str, count: int) -> list[Path]:
    """Delete all but the newest `count` versions. Returns the deleted ones.

    They are first renamed into a temporary folder, so that nobody can load half of a version. If
    this process is killed, the next export removes that folder.
    """
    folder, gone = of(recipe), []
    with disk.workspace(folder) as doomed:
        for number in numbers(folder)[:-count]:
            version = folder / str(number)
            if (version / "manifest.json").is_file():  # else not written by us
                version.rename(doomed / version.name)
                gone.append(version)
    return gone
