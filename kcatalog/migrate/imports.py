"""Imports of a migrated file: those that nothing uses any more go, and new ones come."""

from __future__ import annotations

import ast
from collections.abc import Iterable

import libcst as cst

from kcatalog.migrate import keras3 as keras3_names
from kcatalog.migrate import scope
from kcatalog.migrate.program import Program, position


class Imports:
    """The imports of one file, once its uses are rewritten."""

    def __init__(self, program: Program):
        self.program = program

    def write(self):
        """Remove imports that nothing uses any more, and add the new ones in their place."""
        groups: dict[ast.stmt, list] = {}
        for s in self.program.names.all:
            for name, bindings in [*s.names.items(), ("*", s.stars)]:
                for b in bindings:
                    if b.statement is not None and self._ours(b):
                        groups.setdefault(b.statement, []).append((name, b, s))
        gone: dict[ast.stmt, list[ast.alias]] = {}
        for statement, group in groups.items():
            if self._resourced(statement, group):
                continue
            for name, b, s in group:
                if self._obsolete(name, b, s):
                    gone.setdefault(statement, []).append(b.alias)
        empty = {s for s, aliases in gone.items() if len(aliases) == len(s.names)}
        empty = {s for s in empty if not self.program.needed.get(s)}
        above: set[tuple] = set()
        for statement in sorted({*gone, *self.program.needed}, key=position):
            lines = [w for w in self.program.needed.get(statement, ()) if w not in above]
            if self.program.names.parents[statement] is self.program.tree:
                above.update(lines)
            self._write_import(statement, gone.get(statement, []), _import_lines(lines), empty)

    def _ours(self, binding) -> bool:
        first = binding.path.split(".")[0] if binding.path else ""
        library = self.program.libraries.get(first)
        if library:
            return library.rewrite
        return (
            self.program.keras3
            and first in ("keras", "tensorflow")
            and self._from_tensorflow(binding)
        )

    def _from_tensorflow(self, binding) -> bool:
        statement = binding.statement
        module = statement.module if isinstance(statement, ast.ImportFrom) else binding.alias.name
        return (module or "").split(".")[0] == "tensorflow"

    def _obsolete(self, name, binding, s) -> bool:
        """Return whether an import can go; marks one that must stay for others."""
        if binding in self.program.open:
            return False
        if binding.path.split(".")[0] not in self.program.libraries:
            return self._obsolete_keras(name, binding)
        if binding.alias.name == "*":
            if binding not in self.program.used:
                self.program.mark(
                    binding.statement, binding.path, "name what is imported, and run this again"
                )
            return binding in self.program.used
        if s is self.program.names.top and self.program.exported(name):
            library = self.program.libraries[binding.path.split(".")[0]]
            row = library.find(binding.path.partition(".")[2])
            if row and row.plain and isinstance(binding.statement, ast.ImportFrom):
                module, _, new = row.to.rpartition(".")
                what = ("from", module, new, name)
                self.program.needed.setdefault(binding.statement, {})[what] = None
                if binding not in self.program.used:
                    self.program.find(binding.statement, "rewritten", row.name, f"-> {row.to}")
                return True
            self.program.mark(
                binding.statement, binding.path, "other files may import it from here"
            )
            return False
        if binding not in self.program.used and "load_model" in self.program.source:
            message = "convert the models that this file loads with `kcatalog migrate-model`"
            self.program.mark(binding.statement, binding.path, message)
        return True

    def _obsolete_keras(self, name, binding) -> bool:
        """Return whether an import from TensorFlow can go; its successor is noted as needed."""
        stays = binding in self.program.stays or binding not in self.program.used
        if binding.path == "tensorflow":
            return not stays
        if stays:
            what = self._successor(name, binding)
            if what is None:
                return False
            self.program.needed.setdefault(binding.statement, {})[what] = None
        return True

    def _successor(self, name, binding) -> tuple | None:
        """Return the import from Keras that replaces one from TensorFlow."""
        path = binding.path
        if path != "keras" and keras3_names.public(path.partition(".")[2]) != path.count("."):
            return None
        module, _, last = path.rpartition(".")
        if binding.alias.name == "*":
            return "from", path, "*", "*"
        if module and isinstance(binding.statement, ast.ImportFrom):
            return "from", module, last, name
        return "import", path, name if name != path else None

    def _resourced(self, statement, group) -> bool:
        """Replace the module of `from tensorflow.keras.layers import ...`, if that is all."""
        module = getattr(statement, "module", None) or ""
        if module.startswith("keras") or not scope.canonical(module).startswith("keras"):
            return False
        what = [
            self._successor(name, b)
            for name, b, _ in group
            if b not in self.program.open
            and (b in self.program.stays or b not in self.program.used)
        ]
        if len(what) < len(statement.names) or not all(w and w[0] == "from" for w in what):
            return False
        start, stop = self.program.text.span(statement)
        at = start + self.program.source[start:stop].index(module)
        self.program.text.replace(at, at + len(module), scope.canonical(module))
        self.program.find(statement, "rewritten", "tf.keras", "-> keras")
        return True

    def _write_import(self, statement, gone, lines, empty):
        start, stop = self.program.text.span(statement)
        kept = [a for a in statement.names if a not in gone]
        body = self.program.body(statement)
        if kept and len(kept) < len(statement.names):
            lines = [self._without(statement, gone), *lines]
        elif kept:
            lines = [*lines, self.program.text.get(start, stop)]
        first, last = self.program.text.starts[statement.lineno - 1], self.program.line_end(stop)
        alone = self.program.alone(statement)
        if lines:
            between = self.program.newline + self.program.source[first:start] if alone else "; "
            self.program.text.replace(start, stop, between.join(lines))
        elif not alone or (statement is body[0] and self._emptied(body, empty)):
            self.program.text.replace(start, stop, "pass")
        else:
            self.program.text.replace(first, last, "")

    def _emptied(self, body, empty) -> bool:
        """Return whether nothing is left in a block, which needs a statement."""
        return body is not self.program.tree.body and all(s in empty for s in body)

    def _without(self, statement, gone) -> str:
        """Return an import without some of its names, otherwise as it was written."""
        start, stop = self.program.text.span(statement)
        parsed = cst.parse_statement(self.program.source[start:stop])
        small = parsed.body[0]
        both = zip(small.names, statement.names, strict=True)
        names = [new for new, old in both if old not in gone]
        last = small.names[-1].comma if getattr(small, "lpar", None) else cst.MaybeSentinel.DEFAULT
        names[-1] = names[-1].with_changes(comma=last)
        return cst.Module([]).code_for_node(small.with_changes(names=names)).rstrip(";").rstrip()


def _import_lines(what: Iterable[tuple]) -> list[str]:
    """Return the statements of needed imports, those of one module joined."""
    modules, names = [], {}
    for kind, module, *rest in what:
        if kind == "import":
            modules.append(f"import {module}" + (f" as {rest[0]}" if rest[0] else ""))
        else:
            name, local = rest
            names.setdefault(module, []).append(name if name == local else f"{name} as {local}")
    froms = [f"from {m} import {', '.join(sorted(n))}" for m, n in sorted(names.items())]
    return [*sorted(modules), *froms]
