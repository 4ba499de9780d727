"""Names of libraries that files of a project pass on to others."""

from __future__ import annotations

import ast
import collections
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from kcatalog.migrate.job import Job, Options, read


def find(jobs: list[Job], others: list[Job], options: Options) -> dict[str, dict[str, str]]:
    """Return the names of libraries that files import, and that others may import from them.

    A file counts under each end of its path that is no other file's, as it depends on the folder
    from which a program starts how its modules are called.
    """
    suffixes = collections.Counter(s for j in (*jobs, *others) for s in _suffixes(j.module))
    exports = {}
    for job in jobs:
        names = _passed_on(read(job.file), options) if job.file.suffix == ".py" else {}
        if names:
            unique = (s for s in _suffixes(job.module) if suffixes[s] == 1)
            exports.update(dict.fromkeys([*unique, job.module], names))
    return exports


def _suffixes(module: str) -> list[str]:
    """Return the ends of a dotted path."""
    parts = module.split(".")
    return [".".join(parts[i:]) for i in range(len(parts))]


def _passed_on(data: bytes, options: Options) -> dict[str, str]:
    """Return name -> path of the imports from libraries, read without parsing the file."""
    text = data.decode(errors="replace")
    names = {}
    for library in options.tables():
        package = re.escape(library.package)
        statements = rf"""^(?P<indent>[ \t]*)(
            from[ \t]+{package}(\.[\w.]+)?[ \t]+import[ \t]+(\([^)]*\)|[^\n#;(]+)
            |import[ \t]+{package}[ \t]+as[ \t]+\w+)"""
        for m in re.finditer(statements, text, re.MULTILINE | re.VERBOSE):
            with contextlib.suppress(SyntaxError):
                names |= _bound(ast.parse(m[2].strip()).body[0])
    defined = rf"^[ \t]*(class|def)[ \t]+({'|'.join(names) or '$'})\b"
    for m in re.finditer(defined, text, re.MULTILINE):
        names.pop(m[2], None)
    return names


def _bound(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    module = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
    return {a.asname or a.name: module + a.name for a in statement.names if a.name != "*"}


def may_import(file: Path, exports) -> bool:
    """Return whether a file names a module and something that it passes on."""
    data = read(file)
    return any(
        module.rpartition(".")[2].encode() in data and any(name.encode() in data for name in names)
        for module, names in exports.items()
    )


def imported_from(module: str, needs: set[str]) -> Iterator[str]:
    """Yield the names of needed paths that are a module's."""
    for path in needs:
        holder, _, name = path.rpartition(".")
        if module == holder or module.endswith(f".{holder}"):
            yield name
