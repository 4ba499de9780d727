"""Names of `tf.keras` in Keras 3: those that moved, changed or went are rows of `keras3.toml`."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

from kcatalog.migrate import table
from kcatalog.migrate.row import Library, Row, Signature

_OLD_PLACES = ("experimental", "legacy")
_OPERATIONS = {  # functions of TensorFlow that keras.ops calls otherwise, or lacks
    "concat": "concatenate",
    "gather": "take",
    "identity": "",
    "l2_normalize": "normalize",
    "pow": "power",
    "rank": "ndim",
    "reduce_std": "std",
    "reduce_variance": "var",
}


@functools.cache
def rows() -> Library:
    """Return the rows of names that Keras 3 calls otherwise, or lacks."""
    text = (Path(__file__).with_suffix(".toml")).read_text(encoding="utf-8")
    return table.parse(text, "keras3")


def find(path: str) -> tuple[Row | None, int]:
    """Return the row of a path below `keras`, and how many of its names the row is for.

    A row that is not in the table says that a name left `experimental` or `legacy`, or that Keras 3
    lacks it. There is no row where the path stays.
    """
    names = path.split(".")
    for count in range(len(names), 0, -1):
        row = rows().rows.get(".".join(names[:count]))
        if row:
            return row, count
    count = public(path)
    if count:
        return None, count
    moved = [n for n in names if n not in _OLD_PLACES]
    if "experimental" in names and "preprocessing" in moved:
        moved.remove("preprocessing")
    count = public(".".join(moved))
    if len(moved) < len(names) and count:
        count += len(names) - len(moved)
        to = ".".join(["keras", *moved[: count - len(names) + len(moved)]])
        row = Row(path, to, signature=Signature({}, extra=True), subclass=True)
        return row, count
    return Row(path, reason="Keras 3 has no such name"), len(names)


@functools.cache
def public(path: str) -> int:
    """Return how many names of a path lead to something public in Keras 3; 0 if none does."""
    spec = importlib.util.find_spec("keras")
    folder = Path(spec.submodule_search_locations[0])
    names = path.split(".")
    for i, name in enumerate(names):
        if name in _names(folder):
            if not (folder / name / "__init__.py").exists():
                return i + 1
            folder /= name
        else:
            return 0
    return len(names)


def operation(path: str) -> str | None:
    """Return the operation of Keras that is like a function of TensorFlow: `keras.ops.mean`."""
    _, *modules, name = path.split(".")
    if modules not in ([], ["image"], ["linalg"], ["math"], ["nn"]):
        return None
    name = _OPERATIONS.get(name, name.removeprefix("reduce_"))
    found = ".".join(["ops", *[m for m in modules if m == "image"], name])
    return f"keras.{found}" if name and public(found) == found.count(".") + 1 else None


@functools.cache
def _names(folder: Path) -> frozenset[str]:
    """Return the names in a module of Keras's interface, read without importing Keras."""
    text = (folder / "__init__.py").read_text(encoding="utf-8")
    return frozenset(re.findall(r"\bas (\w+)", text))
