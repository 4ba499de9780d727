"""The files of other packages that hold parts: those state the entry point `kcatalog.parts`.

[project.entry-points."kcatalog.parts"]
my_parts = "my_parts"          # a module or a package: all `@component` classes in its files
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from importlib import metadata
from pathlib import Path

GROUP = "kcatalog.parts"


def modules() -> list[tuple[str, Path]]:
    """Return the modules that may hold parts, each with its file."""
    points = metadata.entry_points(group=GROUP)
    return [found for point in points for found in _files(point.value)]


def _files(value: str) -> list[tuple[str, Path]]:
    """Return the modules below an entry point, each with its file; none of them is imported."""
    top, *below = value.partition(":")[0].split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        warnings.warn(f"There is no package {top} for the entry point {GROUP}.", stacklevel=2)
        return []
    root = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return [(top, root)]
    place = functools.reduce(Path.joinpath, below, root.parent)
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return [(_module(top, root.parent, file), file) for file in files]


def _module(top: str, folder: Path, file: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join((top, *(p for p in parts if p != "__init__")))
