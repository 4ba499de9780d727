"""Uses of a library's names, rewritten by the rows of its table."""

from __future__ import annotations

import ast
import re

import libcst as cst

from kcatalog.migrate import scope
from kcatalog.migrate.arguments import Arguments
from kcatalog.migrate.destination import Destination
from kcatalog.migrate.finding import Left, sentence
from kcatalog.migrate.layout import binds_loosely
from kcatalog.migrate.program import Program
from kcatalog.migrate.row import Library, Row

ASKS_FOR_TYPE = ("isinstance", "issubclass", "assertIsInstance", "assertNotIsInstance")
CALLABLES = ("lambda ", "functools.partial(")  # which stand for a class, and are none
FREE = (ast.Assign, ast.Return, ast.Expr, ast.keyword, ast.Dict, ast.List)


class Rewriting:
    """Rewrites the uses of one file, or says why one is left."""

    def __init__(self, program: Program):
        self.program = program
        self.done: dict[str, Row] = {}  # rows by which something was rewritten

    def use(self, library: Library, use: scope.Use):
        """Rewrite a use of a library's name, or leave it with a comment."""
        row, node, rest = self._row(library, use)
        name = row.name if row else use.path.partition(".")[2] or use.path
        if not library.rewrite:
            self._note_destination(library, row, name, use)
            return
        try:
            self.require_safe(use)
            if row is None:
                raise Left(self._unknown(library, use, name))
            self.by_row(row, name, node, rest, use)
        except Left as e:
            self.program.leave(use, name, str(e))

    def require_safe(self, use: scope.Use):
        """Leave a use whose meaning or place is not certain."""
        if any(isinstance(n, ast.JoinedStr) for n in self.program.names.around(use.node)):
            raise Left("it stands in an f-string; move it to a variable")
        if not use.certain:
            raise Left(f"`{use.root.id}` has another meaning in this file, too; rename one")

    def by_row(self, row: Row, name: str, node: ast.expr, rest: list[str], use: scope.Use):
        """Rewrite a use by its row, and note that.

        Args:
            row: the row.
            name: the old name, for the reader.
            node: the part of the use that names it.
            rest: the attributes behind that.
            use: the use.
        """
        changed, form = self._rewrite(row, node, rest, use)
        self.done[row.name] = row
        self.program.find(use.node, "rewritten", name, f"-> {changed}")
        for note in (form.differs, form.also, form.reason):
            if note:
                self.program.find(use.node, "note", name, note)
        if form.todo:
            self.program.mark(use.node, name, form.todo)

    def _row(self, library, use):
        """Return the row of a use, the node that names it, and the attributes behind it."""
        _, *names = use.path.split(".")
        node = use.node
        for count in range(len(names), 0, -1):
            row = library.find(".".join(names[:count]))
            if row:
                return row, node, names[count:]
            node = node.value if isinstance(node, ast.Attribute) else node
        return None, use.node, []

    def _unknown(self, library, use, name):
        if any(row.module == name for row in library.rows.values()) or "." not in use.path:
            message = f"a module of {library.title} is used as a value; write"
            return f"{message} a dictionary from the names that occur to what replaces them"
        return f"{library.title} {library.version} has no public name {name}; replace it by hand"

    def _note_destination(self, library, row, name, use):
        target = row and (row.to or row.reason)
        if target:
            self.program.find(use.node, "note", name, f"{library.title}: {target}")

    def _rewrite(self, row: Row, node, rest, use) -> tuple[str, Row]:
        """Rewrite a use; return what is written, and the form of the row that it is."""
        parent = self.program.names.parents[node]
        statement = row.delete and self._statement(parent, node)
        if statement:
            self.program.remove(statement)
            return "deleted", row
        if not row.to:
            raise Left(sentence(row.reason, row.hint or row.also))
        if row.hint:
            raise Left(row.hint)
        if isinstance(parent, ast.Call) and parent.func is node:
            return self._call(row, parent, use, node)
        is_base = isinstance(parent, ast.ClassDef) and node in parent.bases
        if is_base and not row.subclass:
            to = (row.otherwise or row).to
            raise Left(f"a subclass depends on how its base works; derive from {to}")
        if self._in_custom_objects(node):
            raise Left("saved models name it; convert them with `kcatalog migrate-model`")
        kind = self._kind_of_type(parent, node)
        if is_base:
            target = row.to
        elif kind:
            target = self._type(row, kind)
        else:
            target = row.reference or ((row.plain or row.subclass) and row.to)
        if not target:
            raise Left(f"it is passed on, and its arguments change; use {row.to}")
        if rest and not row.plain:
            raise Left(f"`.{'.'.join(rest)}` may differ; use {row.to}")
        is_class = row.name.rpartition(".")[2][0].isupper()
        if is_class and target.startswith(CALLABLES) and not self._only_called(use, parent, target):
            raise Left(f"it may be used as a class; use {row.to} where it is called")
        written = Destination(self.program, use).reference(target, row, node)
        loose = not kind and binds_loosely(cst.parse_expression(written))
        inserted = f"({written})" if loose and not self._free(node) else written
        self.program.text.replace(*self.program.text.span(node), inserted)
        return written, row

    def _only_called(self, use, parent, target) -> bool:
        """Return whether what stands for a class is stored, and only called where that is seen.

        A function may derive a class from its argument, or ask for it.
        """
        if isinstance(parent, ast.Assign):
            names = self.program.names
            stored = [t.id for t in parent.targets if isinstance(t, ast.Name)]
            owners = {x: use.scope.owner(x) for x in stored}
            loads = [n for n, s in names.scopes.items() if owners.get(n.id, 0) is s.owner(n.id)]
            uses = [(n, names.parents[n]) for n in loads]
            called = all(getattr(p, "func", n) is n and _calls_or_asks(p) for n, p in uses)
            return called and len(stored) == len(parent.targets)
        if isinstance(parent, (ast.Call, ast.keyword, *scope.FUNCTIONS)):
            return not target.startswith("lambda")
        return not isinstance(parent, ast.Compare)

    def _statement(self, parent, node) -> ast.stmt | None:
        """Return the statement that does nothing but call a name, or set it."""
        if isinstance(parent, ast.Assign) and parent.targets == [node]:
            return parent
        called = isinstance(parent, ast.Call) and parent.func is node
        outer = self.program.names.parents.get(parent)
        return outer if called and isinstance(outer, ast.Expr) else None

    def _kind_of_type(self, parent, node) -> str | None:
        """Return how only the type is meant, as an "annotation" or in "isinstance"; else None."""
        if isinstance(parent, ast.arg) or getattr(parent, "returns", None) is node:
            return "annotation"
        if isinstance(parent, ast.AnnAssign) and parent.annotation is node:
            return "annotation"
        call = self.program.names.parents.get(parent) if isinstance(parent, ast.Tuple) else parent
        if isinstance(call, ast.Call) and call.func is not node:
            asks = getattr(call.func, "id", getattr(call.func, "attr", ""))
            return "isinstance" if asks in ASKS_FOR_TYPE else None
        return None

    def _type(self, row, kind) -> str:
        """Return the type that the calls of a name have become, or all of them."""
        types = {}
        while row:
            called = re.match(r"[\w.]+(?=\()", row.expression or "")
            types[called[0] if called else row.to] = None
            row = row.otherwise
        if len(types) == 1:
            return next(iter(types))
        return f"({', '.join(types)})" if kind == "isinstance" else " | ".join(types)

    def _in_custom_objects(self, node) -> bool:
        for n in self.program.names.around(node):
            if isinstance(n, ast.keyword) and n.arg == "custom_objects":
                return True
            if isinstance(n, ast.stmt):
                return "custom_objects" in ast.unparse(n)[:200]
        return False

    def _call(self, row: Row, call: ast.Call, use, node) -> tuple[str, Row]:
        if isinstance(self.program.names.parents[call], ast.ClassDef) and row.expression:
            raise Left(f"a class derives from it; use {row.to}")
        form, errors = row, []
        while form:
            needed = {s: dict(lines) for s, lines in self.program.needed.items()}
            try:
                return self._form(form, call, use, node), form
            except Left as e:
                errors.append(e)
                self.program.needed = needed
                form = form.otherwise
        if _takes_all(row) and _hides_arguments(call):
            written = Destination(self.program, use).reference(row.reference, row, node)
            loose = binds_loosely(cst.parse_expression(written))
            inserted = f"({written})" if loose else written
            self.program.text.replace(*self.program.text.span(node), inserted)
            return written, row
        raise errors[-1]

    def _form(self, row: Row, call: ast.Call, use, node) -> str:
        """Rewrite a call by one form of its row."""
        if row.plain:
            written = Destination(self.program, use).local(row.to, row, node)
            self.program.text.replace(*self.program.text.span(node), written)
            return written
        start, stop = self.program.text.span(call)
        newline = cst.PartialParserConfig(default_newline=self.program.newline)
        expression = cst.parse_expression(f"({self.program.text.get(start, stop)})", newline)
        expression = expression.with_changes(lpar=expression.lpar[1:], rpar=expression.rpar[:-1])
        destination = Destination(self.program, use)
        arguments = Arguments(row, call, expression, destination)
        if row.into:
            written = arguments.into()
        else:
            written = arguments.written(lambda: destination.local(row.to, row, node))
        code = cst.Module([], default_newline=self.program.newline).code_for_node(written)
        if row.expression and binds_loosely(written) and not self._free(call):
            code = f"({code})"
        self.program.text.replace(start, stop, code)
        return row.to

    def _free(self, node) -> bool:
        """Return whether a node stands where any expression may, without parentheses."""
        parent = self.program.names.parents[node]
        argument = isinstance(parent, ast.Call) and parent.func is not node
        return argument or isinstance(parent, FREE)


def _calls_or_asks(node) -> bool:
    """Return whether a node is a call, or asks if something is None."""
    asks = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot)
    return isinstance(node, ast.Call) or (asks and ast.unparse(node.comparators) == "None")


def _takes_all(row: Row) -> bool:
    """Return whether what stands for a name takes all of its arguments by their old names."""
    rules = (row.rename, row.values, row.drop, row.compute)
    return bool(row.reference) and (row.reference.startswith("lambda ") or not any(rules))


def _hides_arguments(call: ast.Call) -> bool:
    """Return whether a call has `*values` or `**options`."""
    starred = any(isinstance(a, ast.Starred) for a in call.args)
    return starred or any(k.arg is None for k in call.keywords)
