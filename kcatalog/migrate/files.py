"""Files below the paths that a user gives, and the modules they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from kcatalog.atomic import UNFINISHED

SKIPPED = {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"}


def walk(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each file below the paths once, and the folder that it was found from."""
    seen = set()
    for path in paths:
        found = [path] if path.is_file() else _below(path)
        root = path.parent if path.is_file() else path
        for file in found:
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file, root


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        for name in sorted(files):
            if not name.startswith(UNFINISHED):
                yield Path(here, name)


def module(file: Path, root: Path) -> str:
    """Return a file's dotted path, from the folder above its root: `project.utils.layers`."""
    parts = [root.resolve().name, *file.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
