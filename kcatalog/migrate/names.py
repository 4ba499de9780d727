"""Uses of imported names in a Python file, and what other expressions certainly are."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping

from kcatalog.migrate.scope import COMPREHENSIONS, Binding, Scope, Use, canonical


class Names(ast.NodeVisitor):
    """The scopes of a file, the parent of each node, and the uses of imported names.

    Args:
        tree: the file.
        stars: module -> the names that a star-import of it brings.
        module: the file's own module path, to resolve relative imports; None if unknown.
        package: the file is an `__init__.py`.
        exports: full path of a name in the project -> the path in a library that it stands for.
    """

    def __init__(
        self,
        tree: ast.Module,
        stars: Mapping[str, frozenset[str]] | None = None,
        module: str | None = None,
        package: bool = False,
        exports: Mapping[str, str] | None = None,
    ):
        self.tree = tree
        self.parents: dict[ast.AST, ast.AST] = {}
        self.scopes: dict[ast.AST, Scope] = {}  # of names that are read
        self.top = self._scope = Scope(tree, None)
        self.all = [self.top]
        self._stars = stars or {}
        self._package = (module or "").split(".")[: None if package else -1]
        self._relative = module is not None
        self._exports = exports or {}
        self.generic_visit(tree)

    # --- building -----------------------------------------------------------------------

    def visit(self, node):
        """Visit a node, dispatched by type, with those of no interest on the short way."""
        visitor = getattr(self, "visit_" + node.__class__.__name__, None)
        if visitor:
            visitor(node)
        else:
            self.generic_visit(node)

    def generic_visit(self, node):
        """Note the parent of each child, and visit it."""
        parents = self.parents
        for child in ast.iter_child_nodes(node):
            parents[child] = node
            self.visit(child)

    def _visit(self, nodes, parent):
        for node in nodes:
            if node is not None:
                self.parents[node] = parent
                self.visit(node)

    def _bind(self, name: str, binding: Binding | None = None):
        scope = self._scope.elsewhere.get(name, self._scope)
        scope.names.setdefault(name, []).append(binding or Binding())

    def _inner(self, node):
        self._scope = Scope(node, self._scope)
        self.all.append(self._scope)

    def _leave(self):
        self._scope = self._scope.parent

    def visit_Name(self, node):
        """Note where a name is read, and bind one that is written."""
        if isinstance(node.ctx, ast.Load):
            self.scopes[node] = self._scope
        else:
            parent = self.parents[node]
            value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
            self._bind(node.id, Binding(value=value))

    def visit_Import(self, node):
        """Bind the names of `import a.b as c`."""
        for alias in node.names:
            path = alias.name if alias.asname else alias.name.split(".")[0]
            name = alias.asname or path
            self._bind(name, Binding(canonical(path), node, alias))

    def visit_ImportFrom(self, node):
        """Bind the names of `from a import b as c`."""
        module = self._absolute(node)
        for alias in node.names:
            if alias.name == "*":
                if module:
                    self._scope.stars.append(Binding(canonical(module), node, alias))
                continue
            path = f"{module}.{alias.name}" if module else ""
            meant = self._meant(path)
            origin = path if meant != canonical(path) else None
            binding = Binding(meant or None, node, alias, origin=origin)
            self._bind(alias.asname or alias.name, binding)

    def _absolute(self, node: ast.ImportFrom) -> str | None:
        if not node.level:
            return node.module
        if not self._relative or node.level > len(self._package) + 1:
            return None
        package = self._package[: len(self._package) + 1 - node.level]
        return ".".join([*package, *([node.module] if node.module else [])])

    def _meant(self, path: str) -> str:
        """Return what a path stands for, through names that files of the project pass on."""
        if self._exports:
            names = path.split(".")
            for count in range(len(names), 0, -1):
                found = self._exports.get(".".join(names[:count]))
                if found:
                    return ".".join([found, *names[count:]])
        return canonical(path)

    def visit_Global(self, node):
        """Let names be the module's."""
        self._scope.elsewhere.update(dict.fromkeys(node.names, self.top))

    def visit_Nonlocal(self, node):
        """Let names be those of an enclosing function."""
        for name in node.names:
            owner = self._scope.parent and self._scope.parent.owner(name)
            if owner:
                self._scope.elsewhere[name] = owner

    def visit_FunctionDef(self, node):
        """Visit defaults and decorators in the scope around a function, its body in its own."""
        self._bind(node.name)
        self._visit(node.decorator_list, node)
        self._function(node, node.body, [node.returns])

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node):
        """Visit a function without a name."""
        self._function(node, [node.body], [])

    def _function(self, node, body, around):
        a = node.args
        parameters = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
        parameters = [p for p in parameters if p]
        self.parents |= dict.fromkeys(parameters, node)
        self._visit([*a.defaults, *a.kw_defaults], node)
        for p in parameters:
            self._visit([p.annotation], p)
        self._visit(around, node)
        self._inner(node)
        for p in parameters:
            self._bind(p.arg)
        self._visit(body, node)
        self._leave()

    def visit_ClassDef(self, node):
        """Visit bases in the scope around a class, its body in its own."""
        self._bind(node.name)
        self._visit([*node.decorator_list, *node.bases, *node.keywords], node)
        self._inner(node)
        self._visit(node.body, node)
        self._leave()

    def _comprehension(self, node):
        first, *rest = node.generators
        self.parents[first] = node
        self._visit([first.iter], first)
        self._inner(node)
        self._visit([first.target, *first.ifs], first)
        self._visit(rest, node)
        values = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        self._visit(values, node)
        self._leave()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def visit_NamedExpr(self, node):
        """Bind the name of `(x := y)` in the function around comprehensions."""
        self._visit([node.value], node)
        inner = self._scope
        while isinstance(self._scope.node, COMPREHENSIONS):
            self._scope = self._scope.parent
        self._bind(node.target.id, Binding(value=node.value))
        self._scope = inner

    def visit_ExceptHandler(self, node):
        """Bind the name of an exception."""
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def _pattern(self, node):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if name:
            self._bind(name)
        self.generic_visit(node)

    visit_MatchAs = visit_MatchStar = visit_MatchMapping = _pattern  # noqa: N815

    # --- answers ------------------------------------------------------------------------

    def uses(self) -> Iterator[Use]:
        """Yield the uses of all imported names, in the order of the file."""
        for name, scope in self.scopes.items():
            found = self.resolve(name, scope)
            if found is None:
                continue
            path, bindings, certain = found
            node = name
            while isinstance(parent := self.parents[node], ast.Attribute):
                path, node = f"{path}.{parent.attr}", parent
            yield Use(node, self._meant(path), name, bindings, scope, certain)

    def resolve(self, name: ast.Name, scope: Scope):
        """Return the path of a name, its imports, and if it has no other meaning; or None."""
        bindings = scope.find(name.id)
        if not bindings:
            return self._starred(name, scope)
        imports = tuple(b for b in bindings if b.path)
        paths = {b.path for b in imports}
        if not paths:
            return None
        certain = len(paths) == 1 and all(b.path or b.is_none for b in bindings)
        return imports[0].path, imports, certain

    def _starred(self, name, scope):
        """Return the star-import that brings a name which nothing else binds."""
        if hasattr(builtins, name.id):
            return None
        for star in scope.module.stars:
            if name.id in self._stars.get(star.path, ()):
                return self._meant(f"{star.path}.{name.id}"), (star,), True
        return None

    def path_of(self, node: ast.expr) -> str | None:
        """Return the full path that a chain of names certainly has."""
        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node not in self.scopes:
            return None
        found = self.resolve(node, self.scopes[node])
        if found is None or not found[2]:
            return None
        return self._meant(".".join([found[0], *reversed(attributes)]))

    def statement(self, node: ast.AST) -> ast.stmt:
        """Return the innermost statement around a node."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around a node, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def is_number(self, node: ast.expr, depth: int = 3) -> bool:
        """Return whether an expression is certainly a number."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, int | float) and not isinstance(node.value, bool)
        if isinstance(node, ast.UnaryOp):
            return self.is_number(node.operand, depth)
        if isinstance(node, ast.BinOp):
            return self.is_number(node.left, depth) and self.is_number(node.right, depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id in ("float", "int") and not self.scopes[node.func].find(
                node.func.id
            )
        if isinstance(node, ast.Name) and node in self.scopes and depth:
            bindings = self.scopes[node].find(node.id)
            values = [b.value for b in bindings]
            return bool(values) and all(
                v is not None and self.is_number(v, depth - 1) for v in values
            )
        return False
