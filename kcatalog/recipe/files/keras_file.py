"""The trained model's `.keras` file: written whole, read without trusting it.

Such a file may come from anybody, and says of itself which classes to build. Keras's safe mode
refuses code in it (lambdas, pickled modules); what the archive itself may do is refused here.
"""

from __future__ import annotations

import json
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import keras

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError


def save(model: keras.Model, file: Path) -> None:
    """Write `file`, at once or not at all."""
    with disk.atomic_write(file) as beside:
        model.save(beside)


def load(file: Path, change: Callable | None = None) -> keras.Model:
    """The model, not compiled. Its file can make Keras build layers, and nothing else.

    Args:
        file: the archive.
        change: takes the configuration in it, and returns the one to build.
    """
    check(file)
    try:
        if change is None:
            return keras.saving.load_model(file, compile=False, safe_mode=True)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.keras"
            _copy(file, copy, change)
            return keras.saving.load_model(copy, compile=False, safe_mode=True)
    except Exception as e:  # whatever Keras makes of an arbitrary configuration
        if disk.disk_error(e):
            raise
        raise _refused(file, f"{type(e).__name__}: {e}") from e


def check(file: Path) -> None:
    """Refuse an archive that Keras did not write.

    Keras packs nothing, so that what is packed, or larger than its file, is there to fill the
    memory; and all its names lead to places below the archive.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as e:
        raise _refused(file, str(e)) from e
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise _refused(file, f"the name {entry.filename!r} leads out of it.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _refused(file, f"{entry.filename!r} is a link.")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise _refused(file, f"{entry.filename!r} is packed, which Keras never does.")
    if len({e.filename for e in entries}) < len(entries):
        raise _refused(file, "two of its entries have one name.")
    if sum(e.file_size for e in entries) > file.stat().st_size:
        raise _refused(file, "its entries are larger than itself.")


def _copy(file: Path, copy: Path, change: Callable) -> None:
    with zipfile.ZipFile(file) as original, zipfile.ZipFile(copy, "w") as changed:
        for entry in original.infolist():
            content = original.read(entry)
            if entry.filename == "config.json":
                content = json.dumps(change(json.loads(content)))
            changed.writestr(entry.filename, content)


def _refused(file: Path, reason: str) -> RecipeError:
    reason = " ".join(reason.split())  # on one line
    reason = reason if len(reason) <= 300 else f"{reason[:300]}..."
    return RecipeError(
        f"{file} is damaged, or made to do harm: {reason} "
        f"Remove it; `train --resume --run-dir {file.parent}` writes it anew from its checkpoint."
    )
