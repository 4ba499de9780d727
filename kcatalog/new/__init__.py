"""Files of a new part outside of kcatalog: its class, its test and, in a package, its export."""

from __future__ import annotations

import ast
import keyword
import re
import string
from pathlib import Path

from kcatalog.atomic import atomic_write
from kcatalog.derive import snake_case

TEMPLATES = Path(__file__).parent / "templates"
KINDS = tuple(sorted(f.stem for f in TEMPLATES.glob("*.txt") if f.stem != "test"))


class NewPartError(ValueError):
    """A part that cannot be written there. The message says why, and what to do."""


def write_part(kind: str, name: str, folder: Path) -> list[Path]:
    """Write the files of a new part, all or none of them, and return them.

    The class stands in `folder`. Its test stands in the folder `tests` of the project if there is
    one, else beside the package, or beside the class where `folder` is no package.

    Args:
        kind: one of `KINDS`.
        name: the class, such as `MyLayer`.
        folder: an existing folder; if it is a package, its `__init__.py` exports the class.

    Raises:
        NewPartError: if a name or place does not do. Then nothing is written.
    """
    if not re.fullmatch("[A-Z][A-Za-z0-9]*", name) or keyword.iskeyword(name):
        raise NewPartError(f"A class is named in CamelCase, such as MyLayer. Received: {name}")
    if not folder.is_dir():
        raise NewPartError(f"There is no folder {folder}. Make it first.")
    stem = snake_case(name)
    packages = _packages(folder)
    root = folder.resolve().parents[len(packages) - 1] if packages else folder
    tests = root / "tests"
    values = {
        "name": name,
        "module": ".".join([*packages, stem]),
        "package": packages[0] if packages else stem,
    }
    texts = {folder / f"{stem}.py": _filled(kind, values)}
    texts[(tests if tests.is_dir() else root) / f"test_{stem}.py"] = _filled("test", values)
    for file in texts:
        if file.exists():
            raise NewPartError(f"{file} exists already. Choose another name.")
    if packages:
        exports = folder / "__init__.py"
        texts[exports] = exported(exports.read_text(encoding="utf-8"), stem, name)
    _write(texts)
    return list(texts)


def exported(text: str, module: str, name: str) -> str:
    """Return the text of an `__init__.py` that also exports a class of one of its modules.

    >>> print(exported('__all__ = ["A"]', "my_layer", "MyLayer"))
    from .my_layer import MyLayer
    <BLANKLINE>
    __all__ = ["A", "MyLayer"]
    """
    body = ast.parse(text).body
    lines = text.splitlines()
    for statement in body:
        listed = isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == "__all__"
        if listed and isinstance(statement.value, ast.List):
            names = [*map(ast.literal_eval, statement.value.elts), name]
            indented = "".join(f'    "{n}",\n' for n in names)
            row = ", ".join(f'"{n}"' for n in names)
            listing = f"[{row}]" if len(row) <= 75 else f"[\n{indented}]"
            lines[statement.lineno - 1 : statement.end_lineno] = f"__all__ = {listing}".split("\n")
    first = body[0] if body and isinstance(body[0], ast.Expr) else None
    imports = [s for s in body if isinstance(s, ast.Import | ast.ImportFrom)]
    last = imports[-1] if imports else first
    at = last.end_lineno if last else 0
    line = [f"from .{module} import {name}"]
    before = [""] if last and not imports else []
    after = [""] if at < len(lines) and lines[at].strip() else []
    lines[at:at] = [*before, *line, *after]
    return "\n".join(lines) + "\n"


def _packages(folder: Path) -> list[str]:
    """Return the names of the package that a folder is, and of those around it."""
    names, here = [], folder.resolve()
    while (here / "__init__.py").is_file():
        names.insert(0, here.name)
        here = here.parent
    return names


def _filled(template: str, values: dict[str, str]) -> str:
    text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    return string.Template(text).substitute(values)


def _write(texts: dict[Path, str]):
    """Write files; after an error those that are new are gone."""
    new = [file for file in texts if not file.exists()]
    try:
        for file, text in texts.items():
            with atomic_write(file) as beside:
                beside.write_text(text, encoding="utf-8")
    except OSError as e:
        for file in new:
            file.unlink(missing_ok=True)
        raise NewPartError(f"Cannot write {e.filename}: {e.strerror}.") from e
