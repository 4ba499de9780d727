"""Names of destinations, as a file writes them where they are used."""

from __future__ import annotations

import ast
import re

import libcst as cst

from kcatalog.migrate import scope
from kcatalog.migrate.finding import Left
from kcatalog.migrate.program import Program
from kcatalog.migrate.row import Row

ROOTS = ("functools", "keras", "kcatalog", "numpy", "tensorflow")  # packages imported whole
_SHORT = {"numpy": "np", "tensorflow": "tf"}  # and the names that users expect


class Destination:
    """Writes full paths by the names that hold at a use, and notes the imports they need."""

    def __init__(self, program: Program, use: scope.Use):
        self.program, self.use = program, use

    def reference(self, target: str, row: Row, node: ast.expr) -> str:
        """Return what stands for a name that is not called: a path, or an expression."""
        if re.fullmatch(r"\w+(\.\w+)+", target):
            return self.local(target, row, node)
        return cst.Module([]).code_for_node(self.parsed(target))

    def local(self, to: str, row: Row, node: ast.expr) -> str:
        """Return how a destination is written at the use; its import is noted as needed."""
        statement = self.use.bindings[0].statement
        own = node is self.use.root and isinstance(statement, ast.ImportFrom)
        if own and not self.program.open.intersection(self.use.bindings):
            written = self._from(to, row)
            if written:
                return written
        return self._rooted(to)

    def _from(self, to, row) -> str | None:
        """Return the name that `from module import name` gives; None if it means another thing."""
        use, program = self.use, self.program
        module, _, last = to.rpartition(".")
        keeps = use.bindings[0].alias.asname or program.exported(use.root.id)
        name = use.root.id if row.plain and keeps else last
        bindings = use.scope.find(name)
        if any(b.path != to and b not in use.bindings for b in bindings):
            return None
        program.stays.update(b for b in bindings if b.path == to)
        if not any(b.path == to for b in bindings):
            program.need(use, ("from", module, last, name))
        return name

    def _rooted(self, to) -> str:
        first, *rest = to.split(".")
        if first in ROOTS:
            return ".".join([self.root(first), *rest])
        module = ".".join([first, *rest[:-1]])
        if any(b.path != first for b in self.use.scope.find(first)):
            raise Left(f"`{first}` means something else here; write {to} by hand")
        self.program.need(self.use, ("import", module, None))
        return to

    def root(self, package: str) -> str:
        """Return the name of a package at the use."""
        use = self.use
        inner = use.scope
        while inner:
            for name, bindings in inner.names.items():
                if use.scope.owner(name) is inner and all(self._is(b, package) for b in bindings):
                    self.program.stays.update(bindings)
                    return name
            inner = inner.parent
        name = _SHORT.get(package, package)
        if use.scope.find(name):
            raise Left(f"`{name}` means something else here; rename it")
        self.program.need(use, ("import", package, name if name != package else None))
        return name

    def _is(self, binding, package) -> bool:
        """Return whether a name is a package, also by `keras = tf.keras`."""
        value = binding.value
        return (binding.path or (value and self.program.names.path_of(value))) == package

    def parsed(self, text: str) -> cst.BaseExpression:
        """Return an expression of a table as the file would write it."""
        destination = self

        class Qualify(cst.CSTTransformer):
            def leave_Attribute(self, original_node, updated_node):  # noqa: N802
                root = updated_node.value
                if isinstance(root, cst.Name) and root.value in ROOTS:
                    return updated_node.with_changes(value=cst.Name(destination.root(root.value)))
                return updated_node

        return cst.parse_expression(self.requoted(text)).visit(Qualify())

    def requoted(self, text: str) -> str:
        """Return an expression of a table with the quotes that the file prefers."""
        return text.replace("'", '"') if self.program.double_quotes and '"' not in text else text
