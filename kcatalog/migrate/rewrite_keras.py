"""Uses of `tf.keras`, rewritten to Keras 3."""

from __future__ import annotations

import ast

from kcatalog.migrate import keras3 as keras3_names
from kcatalog.migrate import scope
from kcatalog.migrate.destination import Destination
from kcatalog.migrate.finding import Left
from kcatalog.migrate.rewrite import Rewriting


class KerasRewriting:
    """Rewrites the uses of `tf.keras` in one file, and notes those of TensorFlow in layers."""

    def __init__(self, rewriting: Rewriting):
        self.rewriting, self.program = rewriting, rewriting.program

    def use(self, use: scope.Use):
        """Rewrite a use of `tf.keras`; other parts of TensorFlow stay."""
        first, *names = use.path.split(".")
        if first != "keras":
            self.program.stays.update(use.bindings)
            return
        row, count = keras3_names.find(".".join(names)) if names else (None, 0)
        name = ".".join([first, *names[:count]])
        try:
            self.rewriting.require_safe(use)
            node = use.node
            for _ in names[count:]:
                node = node.value
            parent = self.program.names.parents[node]
            called = isinstance(parent, ast.Call) and parent.func is node
            if row and (called or row.to != name):
                self.rewriting.by_row(row, name, node, names[count:], use)
            else:
                self._shorten(use, names)
        except Left as e:
            self.program.leave(use, name, str(e))

    def _shorten(self, use, names):
        """Write `keras` for `tf.keras`, where the name is not imported from there."""
        node = use.node
        for _ in names:
            if node is use.root:
                break
            node = node.value
        if node is use.root:
            self.program.stays.update(use.bindings)
            return
        parent = self.program.names.parents[node]
        text = self.program.text
        if isinstance(parent, ast.Assign) and ast.unparse(parent.targets) == "keras":
            text.replace(*text.span(parent), "import keras")  # keras = tf.keras
        else:
            text.replace(*text.span(node), Destination(self.program, use).root("keras"))
        self.program.find(use.node, "rewritten", "tf.keras", "-> keras")

    def note_tensorflow(self):
        """Note the operations of TensorFlow in layers, losses and so on."""
        found: dict[ast.FunctionDef, dict[str, None]] = {}
        for use in self.program.names.uses():
            if use.path.startswith("tensorflow."):
                function = self._method(use.node)
                if function:
                    found.setdefault(function, {})[f"tf.{use.path.partition('.')[2]}"] = None
        for function, names in found.items():
            name = f"{self.program.names.parents[function].name}.{function.name}"
            message = f"{', '.join(sorted(names))}: only on TensorFlow; keras.ops has the like"
            self.program.find(function, "note", name, message)

    def _method(self, node) -> ast.FunctionDef | None:
        """Return the method `call` of a class of Keras around a node."""
        for n in self.program.names.around(node):
            holder = self.program.names.parents.get(n)
            if isinstance(n, ast.FunctionDef) and isinstance(holder, ast.ClassDef):
                paths = [self.program.names.path_of(base) or "" for base in holder.bases]
                return (
                    n if n.name == "call" and any(p.startswith("keras.") for p in paths) else None
                )
        return None
