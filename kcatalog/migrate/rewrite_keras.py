"""Uses of `tf.keras`, rewritten to Keras 3."""

from __future__ import annotations

import ast
import functools

from kcatalog.migrate import keras3 as keras3_names
from kcatalog.migrate import scope
from kcatalog.migrate.destination import Destination
from kcatalog.migrate.finding import Left
from kcatalog.migrate.functional import GONE, Functional
from kcatalog.migrate.rewrite import Rewriting

_LAYER = "the `call` of a keras.layers.Layer of your own"


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
            if row and (called or row.to != name) and not self._passes_on(parent):
                self.rewriting.by_row(row, name, node, names[count:], use)
            else:
                self._shorten(use, names)
        except Left as e:
            self.program.leave(use, name, str(e))

    def _passes_on(self, call) -> bool:
        """Return whether a call gets the `**` of a lambda around it, as those made here do."""
        stars = [k.value for k in getattr(call, "keywords", ()) if k.arg is None]
        around = [n for n in self.program.names.around(call) if isinstance(n, ast.Lambda)]
        kwargs = {n.args.kwarg.arg for n in around if n.args.kwarg}
        return any(isinstance(s, ast.Name) and s.id in kwargs for s in stars)

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

    @functools.cached_property
    def _functional(self) -> Functional:
        return Functional(self.program.names, self.program.libraries)

    def note_tensorflow(self):
        """Mark functions of TensorFlow that models of Keras 3 refuse, and note those they run."""
        uses = [u for u in self.program.names.uses() if u.path.startswith("tensorflow.")]
        self._mark_functional()
        self._mark_lambdas(uses)
        self._note_activations(uses)
        self._note_functions(uses)

    def _mark_functional(self):
        """Mark what raises an error on a functional tensor."""
        for call, path in self._functional.calls.items():
            found = keras3_names.operation(path)
            write = f"use {found} and compare the arguments" if found else f"move it to {_LAYER}"
            message = f"on a functional tensor it raises an error in Keras 3; {write}"
            self.program.mark(call, _short(path), message)
        for node in self._functional.attributes:
            self.program.mark(node, node.attr, GONE[node.attr])

    def _mark_lambdas(self, uses):
        """Mark the functions of TensorFlow in what Lambda layers call."""
        inside = self._functional.lambdas()
        for use in uses:
            around = inside.intersection([use.node, *self.program.names.around(use.node)])
            if around and (use.node in around or self._called(use.node)):
                found = keras3_names.operation(use.path)
                write = f"{found} is the like, or move it" if found else "move it"
                message = f"in a Lambda it works only with TensorFlow; {write} to {_LAYER}"
                self.program.mark(use.node, _short(use.path), message)

    def _note_activations(self, uses):
        """Note the functions of TensorFlow that are given as an activation."""
        for use in uses:
            parent = self.program.names.parents[use.node]
            path = self._functional.path(parent.func) if isinstance(parent, ast.Call) else ""
            given = isinstance(parent, ast.keyword) and (parent.arg or "").endswith("activation")
            if given or (path == "keras.layers.Activation" and not self._called(use.node)):
                name = use.path.rpartition(".")[2]
                own = keras3_names.public(f"activations.{name}")
                message = "only on TensorFlow" + (f'; Keras\'s own is "{name}"' if own else "")
                self.program.find(use.node, "note", _short(use.path), message)

    def _note_functions(self, uses):
        """Note the functions of TensorFlow in layers, losses and metrics."""
        found: dict[ast.AST, dict[str, None]] = {}
        for use in uses:
            function = self._function(use.node)
            if function:
                found.setdefault(function, {})[_short(use.path)] = None
        for function, names in found.items():
            holder = self.program.names.parents[function]
            inside = f"{holder.name}." if isinstance(holder, ast.ClassDef) else ""
            message = f"{', '.join(sorted(names))}: only on TensorFlow; keras.ops has the like"
            name = getattr(function, "name", "lambda")
            self.program.find(function, "note", f"{inside}{name}", message)

    def _called(self, node) -> bool:
        parent = self.program.names.parents[node]
        return isinstance(parent, ast.Call) and parent.func is node

    def _function(self, node) -> ast.FunctionDef | ast.Lambda | None:
        """Return the method `call` of a class of Keras, or the loss or metric, around a node."""
        for n in self.program.names.around(node):
            if not isinstance(n, ast.FunctionDef | ast.Lambda):
                continue
            if {"y_true", "y_pred"} <= {a.arg for a in n.args.args}:
                return n
            holder = self.program.names.parents[n]
            if isinstance(holder, ast.ClassDef) and isinstance(n, ast.FunctionDef):
                paths = [self._functional.path(base) for base in holder.bases]
                return (
                    n if n.name == "call" and any(p.startswith("keras.") for p in paths) else None
                )
        return None


def _short(path: str) -> str:
    return f"tf.{path.partition('.')[2]}"
