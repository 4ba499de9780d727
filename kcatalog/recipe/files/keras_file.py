"""Write the trained model's `.keras` file atomically, and read it without trusting it.

The file names the classes to build. Keras's safe mode refuses code in it (lambdas, pickled
modules); `check` refuses archives that are unsafe to unpack.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import keras

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError


def save(model: keras.Model, file: Path) -> None:
    """Write `file` atomically."""
    with disk.atomic_write(file) as beside:
        model.save(beside)


def load(file: Path, change: Callable[..., Any] | None = None) -> keras.Model:
    """Load the model in safe mode, without compiling it.

    Args:
        file: the archive.
        change: a function applied to every object of the configuration in the file, the inner
            ones first.
    """
    check(file)
    try:
        if change is None:
            return keras.saving.load_model(file, compile=False, safe_mode=True)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.keras"
            _copy(file, copy, change)
            return keras.saving.load_model(copy, compile=False, safe_mode=True)
    except Exception as e:  # Keras raises any type for an arbitrary configuration
        if disk.disk_error(e):
            raise
        raise _refused(file, f"{type(e).__name__}: {e}") from e


def check_reloads(model: keras.Model) -> None:
    """Refuse a model that could be trained and saved, and not be loaded again.

    Only models with classes or functions of the user's own are tried: others take time for nothing.
    """
    with contextlib.suppress(Exception):  # classes without a configuration are tried, too
        config = json.dumps(keras.saving.serialize_keras_object(model))
        modules = re.findall(r'"module": (?:"([^"]*)"|null)', config)
        known = all(re.match(r"(keras|kcatalog)\b", module) for module in modules)
        if known and '"class_name": "Lambda"' not in config:
            return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        try:
            model.save(file)
            keras.saving.load_model(file, compile=False, safe_mode=True)
        except Exception as e:
            if disk.disk_error(e):
                raise
            raise RecipeError(
                "The model could not be loaded again after training. Decorate your own layers and "
                "functions with `@keras.saving.register_keras_serializable()`, give layers a "
                "`get_config`, and use no `Lambda` layer. "
                f"{_short(f'{type(e).__name__}: {e}')}"
            ) from e


def check(file: Path) -> None:
    """Refuse an archive that Keras did not write.

    Keras stores its entries uncompressed. A compressed entry, or one larger than the file, could
    fill the memory.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as e:
        raise _refused(file, str(e)) from e
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise _refused(file, f"the entry {entry.filename!r} lies outside of it.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _refused(file, f"the entry {entry.filename!r} is a link.")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise _refused(file, f"the entry {entry.filename!r} is compressed.")
    if len({e.filename for e in entries}) < len(entries):
        raise _refused(file, "two entries have the same name.")
    if sum(e.file_size for e in entries) > file.stat().st_size:
        raise _refused(file, "its entries are larger than the file.")


def _copy(file: Path, copy: Path, change: Callable[..., Any]) -> None:
    with zipfile.ZipFile(file) as original, zipfile.ZipFile(copy, "w") as changed:
        for entry in original.infolist():
            content = original.read(entry)
            if entry.filename == "config.json":
                content = json.dumps(json.loads(content, object_hook=change))
            changed.writestr(entry.filename, content)


def _refused(file: Path, reason: str) -> RecipeError:
    again = f"`train --resume --run-dir {shlex.quote(str(file.parent))}`"
    return RecipeError(
        f"Cannot load {file}, because it is damaged or unsafe: {_short(reason)} Remove it, then "
        f"run {again} to write it again from the checkpoint."
    )


def _short(reason: str) -> str:
    reason = " ".join(reason.split())  # on one line
    return reason if len(reason) <= 300 else f"{reason[:300]}..."
