"""Scopes of a Python file, and what binds their names."""

from __future__ import annotations

import ast
import dataclasses
import re

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_KERAS = re.compile(r"tensorflow\.(python\.|_api\.v2\.|compat\.v2\.)?keras(?=\.|$)")


def canonical(path: str) -> str:
    """Return the path with `keras` for the ways in which TensorFlow names it."""
    return _KERAS.sub("keras", path)


def parse(source: str) -> ast.Module:
    """Parse a file; also a notebook's, where `await` may stand outside of functions."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(source, "<source>", "exec", flags, dont_inherit=True)


@dataclasses.dataclass(eq=False)
class Binding:
    """One place that gives a name of a scope its meaning.

    Attributes:
        path: full path of what an import binds; None for anything else.
        statement: the import.
        alias: the part of the import that binds the name.
        value: what an assignment gives the name, where that can be seen.
        origin: full path of the project's own name that is imported, where it stands for `path`.
    """

    path: str | None = None
    statement: ast.Import | ast.ImportFrom | None = None
    alias: ast.alias | None = None
    value: ast.expr | None = None
    origin: str | None = None

    @property
    def is_none(self) -> bool:
        """The name becomes None, as after a failed import."""
        return isinstance(self.value, ast.Constant) and self.value.value is None


@dataclasses.dataclass(eq=False)
class Scope:
    """The names that a module, class, function or comprehension binds."""

    node: ast.AST
    parent: Scope | None
    names: dict[str, list[Binding]] = dataclasses.field(default_factory=dict)
    elsewhere: dict[str, Scope] = dataclasses.field(default_factory=dict)  # global and nonlocal
    stars: list[Binding] = dataclasses.field(default_factory=list)

    @property
    def module(self) -> Scope:
        """The outermost scope."""
        return self.parent.module if self.parent else self

    def owner(self, name: str) -> Scope | None:
        """Return the scope that binds a name used in this one."""
        scope, inner = self, False
        while scope:
            if name in scope.elsewhere:
                return scope.elsewhere[name]
            if name in scope.names and not (inner and isinstance(scope.node, ast.ClassDef)):
                return scope
            inner = inner or isinstance(scope.node, (*FUNCTIONS, *COMPREHENSIONS))
            scope = scope.parent
        return None

    def find(self, name: str) -> list[Binding]:
        """Return what a name used in this scope is bound by."""
        owner = self.owner(name)
        if owner is None:
            return []
        if owner is self and isinstance(self.node, ast.ClassDef):  # read before it is bound?
            return [*owner.names[name], *(self.parent.find(name) if self.parent else [])]
        return owner.names.get(name, [])


@dataclasses.dataclass(frozen=True, eq=False)
class Use:
    """A use of an imported name.

    Attributes:
        node: the longest chain of attributes that begins with the name.
        path: full path of the chain.
        root: the name that begins it.
        bindings: the imports that it may come from.
        scope: where it stands.
        certain: nothing else binds the name.
    """

    node: ast.expr
    path: str
    root: ast.Name
    bindings: tuple[Binding, ...]
    scope: Scope
    certain: bool
