"""Attributes of old objects that what replaces them lacks."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from kcatalog.migrate.program import MARK, Program
from kcatalog.migrate.row import Row

_BY_NAME = ("getattr", "hasattr", "setattr", "delattr")


def mark_attributes(program: Program, rows: Iterable[Row]):
    """Mark the uses of attributes that are gone with the rows that were rewritten.

    No type is known, so each attribute of such a name counts, and so does an argument of a call
    that is no library's.
    """
    gone = {name: (row, what) for row in rows for name, what in row.gone.items()}
    if not gone:
        return
    for node in ast.walk(program.tree):
        for name in _named(program, node):
            if name in gone:
                row, what = gone[name]
                program.mark(node, f"{row.name}.{name}", what)


def _named(program: Program, node: ast.AST):
    """Yield the names of attributes that a node uses, with parentheses where one is called."""
    if isinstance(node, ast.Attribute):
        parent = program.names.parents[node]
        called = isinstance(parent, ast.Call) and parent.func is node
        yield f"{node.attr}()" if called else node.attr
    if isinstance(node, ast.Call):
        first = (program.names.path_of(node.func) or "").split(".")[0]
        if first not in program.libraries:
            yield from (k.arg for k in node.keywords if k.arg)
        if isinstance(node.func, ast.Name) and node.func.id in _BY_NAME and len(node.args) > 1:
            yield getattr(node.args[1], "value", None)


def list_marks(program: Program):
    """List the comments of an earlier run above code that is not marked again."""
    new = {text for texts in program.marks.values() for text in texts}
    for n, line in enumerate(program.source.splitlines(), start=1):
        text = line.strip()
        name, colon, message = text.removeprefix(MARK).partition(": ")
        if text.startswith(MARK) and colon and text.removeprefix(MARK) not in new:
            place = ast.Pass(lineno=n, col_offset=0)
            program.find(place, "left", name, f"{message}. Then remove the comment")
