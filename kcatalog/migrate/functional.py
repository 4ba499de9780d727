"""Tensors of functional models, followed through the assignments and calls of a file."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from kcatalog.migrate import keras3
from kcatalog.migrate.names import Names
from kcatalog.migrate.scope import COMPREHENSIONS

DEF = ast.FunctionDef | ast.AsyncFunctionDef
INPUTS = ("keras.Input", "keras.layers.Input", "keras.layers.InputLayer")
GONE = {  # attributes of a tensor of TensorFlow that a functional one lacks
    "get_shape": "a functional tensor of Keras 3 lacks it; write `.shape`, which is a tuple",
    "set_shape": "a functional tensor of Keras 3 lacks it; give keras.Input the shape",
    "as_list": "`.shape` of a functional tensor is a tuple in Keras 3; write list(x.shape)",
}
_TENSORS = ("activations", "backend", "layers", "ops")  # their functions give tensors
_ABOUT = ("int_shape", "ndim", "dtype", "is_keras_tensor", "is_tensor")  # but these do not
_ADDS = ("append", "extend", "insert")
_OF_DATA = (  # layers without weights, which pipelines of data call as well
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "Hashing",
    "IntegerLookup",
    "Normalization",
    "Rescaling",
    "Resizing",
    "StringLookup",
    "TextVectorization",
)


class Functional:
    """Uses of functional tensors that Keras 3 refuses, found in the order of the statements.

    A functional tensor comes from `keras.Input`, from `output` of a model, or from a layer that is
    made and called at once on a parameter of a function. It stays one through layers, arithmetic,
    lists, and the functions of the file. A value that is not certain counts as another.

    Attributes:
        calls: functions of TensorFlow called with functional tensors -> their paths.
        attributes: uses of attributes that functional tensors lack.
    """

    def __init__(self, names: Names, packages: Iterable[str]):
        self.names = names
        self.calls: dict[ast.Call, str] = {}
        self.attributes: dict[ast.Attribute, None] = {}
        self._packages = {*packages, "kcatalog"}
        self._functions = [n for n in ast.walk(names.tree) if isinstance(n, DEF)]
        self._received: dict[DEF, set[str]] = {f: set() for f in self._functions}
        self._returning: set[DEF] = set()  # functions that return a functional tensor
        self._follow()

    def _follow(self):
        """Follow the names of the module and of each function until nothing new is found."""
        known = -1
        while known != (known := len(self._returning) + sum(map(len, self._received.values()))):
            self._here = None
            self._block(self.names.tree.body, set())
            for function in self._functions:
                self._here = function
                self._block(function.body, self._at_start(function))

    def _at_start(self, function) -> set[str]:
        """Return the names that hold functional tensors at first, and "?x" for each parameter x."""
        parameters = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        inside = self._class(function)
        paths = [self.path(base) for base in inside.bases] if inside else []
        if function.name in ("call", "__call__") or any(p.startswith("keras.") for p in paths):
            parameters = set()  # Keras calls these with other tensors
        return {*self._received[function], *(f"?{x}" for x in parameters)}

    def _class(self, node) -> ast.ClassDef | None:
        return next((n for n in self.names.around(node) if isinstance(n, ast.ClassDef)), None)

    def path(self, node) -> str:
        """Return the full path of a name, also of one that `import *` brings from Keras; or ""."""
        path = self.names.path_of(node)
        if path or not isinstance(node, ast.Name) or node not in self.names.scopes:
            return path or ""
        stars = [s.path for s in self.names.top.stars if s.path.startswith("keras")]
        paths = [f"{star}.{node.id}" for star in stars if not self.names.scopes[node].find(node.id)]
        known = [p for p in paths if keras3.public(p.partition(".")[2]) == p.count(".")]
        return known[-1] if known else ""

    def lambdas(self) -> set[ast.AST]:
        """Return the functions that Lambda layers are made of."""
        found = set()
        for node in ast.walk(self.names.tree):
            if isinstance(node, ast.Call) and self.path(node.func) == "keras.layers.Lambda":
                named = [k.value for k in node.keywords if k.arg == "function"]
                for function in (node.args[:1] or named)[:1]:
                    found.add(self._defined(function) or function)
        return found

    # --- statements ---------------------------------------------------------------------

    def _block(self, body, held: set[str]):
        for statement in body:
            self._statement(statement, held)

    def _statement(self, s, held):
        """Follow a statement, and update `held`, the names that hold functional tensors."""
        if isinstance(s, ast.Assign):
            for target in s.targets:
                self._assign(target, s.value, held)
        elif isinstance(s, ast.AnnAssign) and s.value:
            self._assign(s.target, s.value, held)
        elif isinstance(s, ast.AugAssign):
            self._bind(
                s.target, any([self._holds(s.value, held), ast.unparse(s.target) in held]), held
            )
        elif isinstance(s, ast.Return) and s.value and self._holds(s.value, held):
            self._returning.add(self._here)
        elif isinstance(s, ast.If):
            self._holds(s.test, held)
            other = set(held)
            self._block(s.body, held)
            self._block(s.orelse, other)
            held |= other
        elif isinstance(s, DEF | ast.ClassDef):
            return  # a function is followed by itself
        else:
            self._other(s, held)

    def _other(self, s, held):
        """Follow a loop, `with`, `try` or `match`, or a statement without others in it."""
        if isinstance(s, ast.For | ast.AsyncFor):
            self._bind(s.target, self._holds(s.iter, held), held)
        for part in ast.iter_child_nodes(s):
            if isinstance(part, ast.expr) and part is not getattr(s, "target", None):
                self._holds(part, held)
            elif isinstance(part, ast.withitem):
                given = self._holds(part.context_expr, held)
                if part.optional_vars:
                    self._bind(part.optional_vars, given, held)
            elif isinstance(part, ast.ExceptHandler | ast.match_case):
                self._block(part.body, held)
        loops = 2 if isinstance(s, ast.For | ast.AsyncFor | ast.While) else 1
        for field in ("body", "orelse", "finalbody"):
            for _ in range(loops):
                self._block(getattr(s, field, ()), held)

    def _assign(self, target, value, held):
        both = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        if both and len(target.elts) == len(value.elts):
            given = [self._holds(v, held) for v in value.elts]
            for t, g in zip(target.elts, given, strict=True):
                self._bind(t, g, held)
        else:
            self._bind(target, self._holds(value, held), held)

    def _bind(self, target, given: bool, held):
        """Let a name hold a functional tensor, or something else."""
        if isinstance(target, ast.Tuple | ast.List):
            for t in target.elts:
                self._bind(t, given, held)
            return
        target = target.value if isinstance(target, ast.Starred) else target
        if isinstance(target, ast.Subscript):
            held.update({ast.unparse(target.value)} if given else ())
        else:
            key = ast.unparse(target)
            held -= {key, f"?{key}"}
            held.update({key} if given else ())

    # --- expressions --------------------------------------------------------------------

    def _holds(self, node, held) -> bool:
        """Return whether an expression is or contains a functional tensor; note what is refused."""
        if isinstance(node, ast.Name):
            return node.id in held
        if isinstance(node, ast.Attribute):
            return self._attribute(node, held)
        if isinstance(node, ast.Call):
            return self._call(node, held)
        if isinstance(node, ast.Lambda):
            return False
        if isinstance(node, ast.NamedExpr):
            self._assign(node.target, node.value, held)
            return ast.unparse(node.target) in held
        if isinstance(node, COMPREHENSIONS):
            held = set(held)
            for g in node.generators:
                self._bind(g.target, self._holds(g.iter, held), held)
        parts = [
            self._holds(part, held)
            for part in ast.iter_child_nodes(node)
            if isinstance(part, ast.expr)
        ]
        if isinstance(node, ast.Subscript):
            return parts[0]
        asks = isinstance(node, ast.Compare) and isinstance(
            node.ops[0], ast.Is | ast.IsNot | ast.In | ast.NotIn
        )
        return any(parts) and not asks and not isinstance(node, ast.JoinedStr)

    def _attribute(self, node, held) -> bool:
        inner = node.value
        given = self._holds(inner, held)
        of_shape = node.attr == "as_list" and isinstance(inner, ast.Attribute)
        if of_shape and inner.attr == "shape" and self._holds(inner.value, held):
            self.attributes[node] = None
        if given and node.attr in GONE and node.attr != "as_list":
            self.attributes[node] = None
        if node.attr in ("output", "outputs", "input", "inputs"):
            return self._is_model(inner) or ast.unparse(node) in held
        return ast.unparse(node) in held

    def _is_model(self, node) -> bool:
        """Return whether a name is a model of Keras, or a call gives one of its layers."""
        if isinstance(node, ast.Call):
            return isinstance(node.func, ast.Attribute) and node.func.attr == "get_layer"
        if not isinstance(node, ast.Name) or node not in self.names.scopes:
            return False
        values = [b.value for b in self.names.scopes[node].find(node.id)]
        paths = [self.path(v.func) if isinstance(v, ast.Call) else None for v in values]
        models = ("keras.Model", "keras.Sequential", "keras.models.", "keras.applications.")
        return bool(paths) and all(p and p.startswith(models) for p in paths)

    def _call(self, node: ast.Call, held) -> bool:
        arguments = [*node.args, *(k.value for k in node.keywords)]
        each = [self._holds(a, held) for a in arguments]
        given, func = any(each), node.func
        self._holds(func, held)
        path = self.path(func)
        first, *rest = path.split(".")
        if path in INPUTS:
            return True
        if first == "tensorflow":
            if given:
                self.calls[node] = path
            return given
        function = self._defined(func)
        if function:
            self._receive(function, node, each)
            return function in self._returning
        if isinstance(func, ast.Call):
            return given or (self._is_layer(func) and self._on_parameter(node.args, held))
        if path:
            tensors = first == "keras" and rest[0] in _TENSORS and rest[-1] not in _ABOUT
            return given and (tensors or first in self._packages)
        if isinstance(func, ast.Name):
            return given and bool(self.names.scopes[func].find(func.id))  # no builtin function
        if isinstance(func, ast.Attribute) and func.attr in _ADDS and given:
            held.add(ast.unparse(func.value))
        return given and isinstance(func, ast.Attribute)

    def _is_layer(self, func: ast.Call) -> bool:
        """Return whether a call makes a layer that only a model calls."""
        path = self.path(func.func)
        first, *_, last = path.split(".") if path else ("", "")
        ours = first in ("keras", *self._packages) and ".layers." in path
        return ours and last[:1].isupper() and not last.startswith(("Random", *_OF_DATA))

    def _on_parameter(self, arguments, held) -> bool:
        names = {n.id for a in arguments for n in ast.walk(a) if isinstance(n, ast.Name)}
        return any(f"?{x}" in held for x in names)

    def _defined(self, func) -> DEF | None:
        """Return the one function of the file that a call certainly means."""
        if isinstance(func, ast.Name):
            if func not in self.names.scopes or len(self.names.scopes[func].find(func.id)) != 1:
                return None
            found = [f for f in self._functions if f.name == func.id and not self._is_method(f)]
        elif isinstance(func, ast.Attribute) and ast.unparse(func.value) == "self":
            inside = self._class(func)
            body = inside.body if inside else ()
            found = [s for s in body if isinstance(s, DEF) and s.name == func.attr]
        else:
            return None
        return found[0] if len(found) == 1 else None

    def _is_method(self, function) -> bool:
        return isinstance(self.names.parents[function], ast.ClassDef)

    def _receive(self, function, call: ast.Call, each: list[bool]):
        """Note the parameters that a call gives functional tensors."""
        a = function.args
        names = [p.arg for p in (*a.posonlyargs, *a.args)][self._is_method(function) :]
        names += [a.vararg.arg] * len(each) if a.vararg else []
        given = [*names[: len(call.args)], *[None] * (len(call.args) - len(names))]
        given += [k.arg for k in call.keywords]
        self._received[function] |= {x for x, e in zip(given, each, strict=True) if e and x}
