"""One file under migration: its source, its names, and what changes in it."""

from __future__ import annotations

import ast
import bisect
import dataclasses
import re
from collections.abc import Mapping

from kcatalog.migrate import long_lines, scope
from kcatalog.migrate.finding import Finding, Result
from kcatalog.migrate.names import Names
from kcatalog.migrate.row import Library
from kcatalog.migrate.text import NEWLINE, Text

MARK = "# kcatalog migrate: "


def position(node: ast.AST) -> tuple[int, int]:
    """Return where a node begins, to sort by."""
    return node.lineno, node.col_offset


class Program:
    """One file: what its names mean, and the changes, comments and imports that it gets.

    Args:
        source: the file's text.
        libraries: the libraries to replace, by package.
        keras3: replace `tf.keras`, too.
        module: dotted path of the file, for relative imports.
        package: the file is an `__init__.py`, whose imports are there for others.
        exports: module -> name -> the path in a library that other files of the project give it.
        kept: names that other files import from this one.
    """

    def __init__(
        self,
        source: str,
        libraries: Mapping[str, Library],
        keras3: bool,
        module: str | None,
        package: bool,
        exports: Mapping[str, Mapping[str, str]],
        kept: frozenset[str],
    ):
        self.libraries = libraries
        self.keras3 = keras3
        self.package = package
        self.kept = kept
        self.source = source
        self.tree = scope.parse(source)
        stars = {
            f"{library.package}.{module}" if module else library.package: frozenset(
                row.name.rpartition(".")[2] for row in library.rows.values() if row.module == module
            )
            for library in self.libraries.values()
            for module in {row.module for row in library.rows.values()}
        }
        stars |= {module: frozenset(names) for module, names in exports.items()}
        paths = {
            f"{m}.{name}": path for m, names in exports.items() for name, path in names.items()
        }
        self.names = Names(self.tree, stars, module, package, paths)
        self.newline = (NEWLINE.search(source) or ["\n"])[0]
        self.double_quotes = source.count('"') >= source.count("'")
        self.open: set[scope.Binding] = set()  # imports with uses that were left
        self.begin()

    def begin(self):
        """Forget the changes, but not which imports have uses that were left."""
        self.text = Text(self.source)
        self.needed: dict[ast.stmt, dict[tuple, None]] = {}
        self.marks: dict[int, list[str]] = {}
        self.findings: list[Finding] = []
        self.used: set[scope.Binding] = set()
        self.stays: set[scope.Binding] = set()  # imports that uses still go through

    def need(self, use: scope.Use, what: tuple):
        """Note an import that stands in the place of a use's own."""
        for binding in use.bindings:
            self.needed.setdefault(binding.statement, {})[what] = None

    def exported(self, name: str) -> bool:
        """Return whether other files may import a name of the module from this one."""
        if name in self.kept:
            return True
        for binding in self.names.top.names.get("__all__", ()):
            if isinstance(binding.value, ast.List | ast.Tuple):
                values = [getattr(e, "value", None) for e in binding.value.elts]
                if name in values:
                    return True
        used = any(n.id == name for n in self.names.scopes)
        return self.package and not used

    def find(self, node: ast.AST, kind: str, name: str, message: str):
        """Note what became of a node."""
        self.findings.append(Finding(node.lineno, kind, name, message))

    def leave(self, use: scope.Use, name: str, message: str):
        """Leave a use, whose import then stays, with a comment above its statement."""
        self.open.update(use.bindings)
        self.mark(use.node, name, message)

    def mark(self, node: ast.AST, name: str, message: str):
        """Write a comment above a node's statement."""
        text = f"{name}: {message.rstrip('.')}"
        self.find(node, "left", name, message)
        line = self._anchor(self.names.statement(node))
        self.marks.setdefault(line, []).append(text)

    def remove(self, statement: ast.stmt):
        """Remove a statement with its line, or write `pass` where a block or line needs one."""
        start, stop = self.text.span(statement)
        if self.alone(statement) and self.names.parents[statement] is self.tree:
            self.text.replace(self.text.starts[statement.lineno - 1], self.line_end(stop), "")
        else:
            self.text.replace(start, stop, "pass")

    def alone(self, statement: ast.stmt) -> bool:
        """Return whether nothing but a comment shares the lines of a statement."""
        start, stop = self.text.span(statement)
        before = self.source[self.text.starts[statement.lineno - 1] : start]
        after = self.source[stop : self.line_end(stop)]
        return not before.strip() and bool(re.fullmatch(r"[ \t]*(#.*)?[\r\n]*", after))

    def line_end(self, offset: int) -> int:
        """Return where the line of an index ends."""
        line = self.text.line(offset)
        return self.text.starts[line] if line < len(self.text.starts) else len(self.source)

    def _anchor(self, statement) -> int:
        """Return the line above which a comment about a statement can stand."""
        while True:
            first = min([statement, *getattr(statement, "decorator_list", [])], key=position)
            start = self.text.starts[first.lineno - 1]
            if not self.source[start : self.text.span(first)[0]].strip(" \t\f@"):
                return first.lineno
            body = self.body(statement)
            at = body.index(statement)
            statement = body[at - 1] if at else self._holder(statement)

    def _holder(self, statement):
        parent = self.names.parents[statement]
        while not isinstance(parent, ast.stmt | ast.Module):
            parent = self.names.parents[parent]
        return parent

    def body(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the list of statements in which one stands."""
        parent = self.names.parents[statement]
        for field in ("body", "orelse", "finalbody"):
            body = getattr(parent, field, None)
            if isinstance(body, list) and statement in body:
                return body
        return [statement]

    def result(self) -> Result:
        """Return the migrated source, which is parsed once more."""
        self._write_marks()
        code = self.text.get()
        numbers = None
        if code != self.source:
            code, numbers = long_lines.broken(code, self.text.changed(), self.newline)
            scope.parse(code)  # a file that no longer parses would be a fault of ours
        order = sorted(dict.fromkeys(self.findings), key=lambda f: (f.line, f.kind, f.name))
        lines = {f.line: self.text.line_after(f.line) for f in order}
        if numbers:
            lines = {old: bisect.bisect_left(numbers, new) + 1 for old, new in lines.items()}
        after = (dataclasses.replace(f, after=lines[f.line]) for f in order)
        needs = frozenset(b.origin for b in self.open if b.origin)
        return Result(code, tuple(after), needs)

    def _write_marks(self):
        """Write the comments above the statements, and keep those that are there already."""
        for line, texts in self.marks.items():
            start = self.text.starts[line - 1]
            indent = re.match(r"[ \t\f]*", self.source[start:])[0]
            first = line - 1
            while first and self._line(first).strip().startswith(MARK.strip()):
                first -= 1
            old = self.source[self.text.starts[first] : start]
            texts = dict.fromkeys(reversed(texts))
            new = "".join(f"{indent}{MARK}{text}{self.newline}" for text in texts)
            if new != old:
                self.text.insert(self.text.starts[first], start, new)

    def _line(self, number: int) -> str:
        return self.source[self.text.starts[number - 1] : self.text.starts[number]]
