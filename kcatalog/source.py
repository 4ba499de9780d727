"""Reads a part's source as text: its card, its docstring, its signature, its rules.

Nothing here imports what it reads about, so the catalog answers without a backend.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcatalog import card, docstrings

_CARD_WORDS = {
    name: getattr(card, name)
    for name in ("Paper", "Part", "Example", "Float", "Int", "Choice", "By", "Card")
}


@dataclass(frozen=True)
class Argument:
    """One constructor argument as the source tells it. `rule` is "" where none is checked."""

    name: str
    required: bool
    default: object
    rule: str
    meaning: str


@functools.cache
def parse(file: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(file.read_text(encoding="utf-8"))


class SourceError(ValueError):
    """A part's source cannot be read; the message names the file and the fault."""


def read_card(node: ast.ClassDef, file: Path) -> card.Card | None:
    """Return the facts in a class's `@component(...)`, or None if it has none.

    Raises:
        SourceError: the card is not plain data, or breaks a card's own rules.
    """
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("component"):
            words = {**_CARD_WORDS, "__builtins__": {"dict": dict, "tuple": tuple}}
            try:
                facts = {
                    k.arg: eval(ast.unparse(k.value), words)  # noqa: S307 - card words only
                    for k in decorator.keywords
                }
                return card.Card(**facts)
            except NameError as e:
                raise SourceError(
                    f"{file}, line {decorator.lineno}, {node.name}: the card must be written "
                    f"with literals and the words of kcatalog.card. Received: {e}."
                ) from e
            except (TypeError, ValueError) as e:
                raise SourceError(f"{file}, line {decorator.lineno}, {node.name}: {e}") from e
    return None


# Where a class derives from, as its author writes it -> its kind.
_BASES = {
    "layers": r"\blayers\.|\bLayer$|\bModel$",
    "losses": r"\blosses\.|\bLoss$",
    "metrics": r"\bmetrics\.|\bMetric$",
    "regularizers": r"\bregularizers\.|\bRegularizer$",
    "constraints": r"\bconstraints\.|\bConstraint$",
    "initializers": r"\binitializers\.|\bInitializer$",
    "schedules": r"\bschedules\.|\bLearningRateSchedule$",
    "optimizers": r"\boptimizers\.|\bOptimizer$|\bWrapper$",
    "callbacks": r"\bcallbacks\.|\bCallback$",
    "samplers": r"\bsamplers\.|\bPyDataset$",
}


def kind(node: ast.ClassDef, file: Path) -> str:
    """Return the kind of a class, by the names of its bases.

    Raises:
        SourceError: no base says it.
    """
    for base in map(ast.unparse, node.bases):
        for name, pattern in _BASES.items():
            if re.search(pattern, base):
                return name
    raise SourceError(
        f"{file}, line {node.lineno}, {node.name}: its kind is read from its bases. Write a class "
        "of Keras or kcatalog among them, such as keras.layers.Layer."
    )


def docstring(node: ast.ClassDef, module: ast.Module) -> str:
    """Return a class's docstring, completed by those of its bases."""
    own, names = ast.get_docstring(node) or "", argument_names(node, module)
    for base, other in _bases(node, module):
        own = docstrings.complete(own, docstring(base, other), names)
    return own


def argument_names(node: ast.ClassDef, module: ast.Module) -> list[str]:
    """Return the names of a class's constructor arguments, in their order."""
    return list(_signature(node, module)[0])


def arguments(
    node: ast.ClassDef, module: ast.Module, meanings: dict[Any, Any]
) -> tuple[Argument, ...]:
    """Return a class's constructor arguments, with those that kcatalog's bases state."""
    signature, rules = _signature(node, module)[0], _all_rules(node, module)
    return tuple(
        Argument(
            name=name,
            required=default is None,
            default=None if default is None else _literal(default),
            rule=rules.get(name, ""),
            meaning=meanings.get(name, ""),
        )
        for name, default in signature.items()
    )


# Arguments that Keras's own base classes have; a part leaves them to `**kwargs`.
OF_EVERY_PART = ("name", "dtype", "reduction", "trainable")


def _signature(node: ast.ClassDef, module: ast.Module) -> tuple[dict[Any, Any], bool]:
    """Return the constructor's arguments with their defaults, and whether it takes others too.

    Where it passes `**kwargs` on to bases of kcatalog, those of the bases follow.
    """
    found, init = {}, _own_init(node)
    if init is not None:
        a = init.args
        positional = [x.arg for x in a.posonlyargs + a.args][1:]
        found = dict.fromkeys([*positional, *(x.arg for x in a.kwonlyargs)])
        found |= dict(zip(reversed(positional), reversed(a.defaults), strict=False))
        found |= {x.arg: d for x, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d}
        if a.kwarg is None:
            return found, False
    for base in _bases(node, module):
        inherited, more = _signature(*base)
        if found:
            inherited = {n: d for n, d in inherited.items() if n not in OF_EVERY_PART}
        found |= {n: d for n, d in inherited.items() if n not in found}
        if inherited and not more:
            return found, False
    return found, True


def _own_init(node: ast.ClassDef):
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return statement
    return None


def _all_rules(node: ast.ClassDef, module: ast.Module) -> dict[str, str]:
    """Return the rules that a class's `__init__` and those of its bases check."""
    rules, init = {}, _own_init(node)
    for base in reversed(_bases(node, module)):
        rules |= _all_rules(*base)
    return rules | (_rules(init) if init is not None else {})


def _bases(node: ast.ClassDef, module: ast.Module):
    """Return the bases that kcatalog or the same file defines, each with its module."""
    if not list(_kcatalog_imports(module)):  # Keras's own, whose docstrings are written otherwise
        return []
    found = (_class(ast.unparse(base), module) for base in node.bases)
    return [base for base in found if base is not None]


def _class(name: str, module: ast.Module):
    """Return a class that `module` defines or imports from kcatalog, and its own module."""
    for statement in module.body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return statement, module
    for statement in _kcatalog_imports(module):
        if name in [alias.name for alias in statement.names]:
            path = Path(__file__).parents[1].joinpath(*statement.module.split("."))
            return _class(
                name, parse(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
            )
    return None


def _kcatalog_imports(module: ast.Module):
    for statement in module.body:
        ours = isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")
        if ours and ours[0] == "kcatalog":
            yield statement


def _literal(node: ast.expr):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _rules(init: ast.FunctionDef) -> dict[str, str]:
    """Argument -> rule, from calls such as `checks.number(self, "rate", rate, "[0, 1)")`.

    Choices that stand in a constant have no rule here; the docstring names them.
    """
    rules = {}
    for call in ast.walk(init):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if ast.unparse(call.func.value) != "checks" or len(call.args) < 3:
            continue
        name, verb = _literal(call.args[1]), call.func.attr
        extra = _literal(call.args[3]) if len(call.args) > 3 else ""
        optional = any(k.arg == "optional" and _literal(k.value) is True for k in call.keywords)
        text = {
            "number": f"number in {extra}",
            "integer": f"integer in {extra}",
            "pair": f"integer or two integers in {extra}",
            "numbers_list": f"list of numbers in {extra}",
            "choice": " | ".join(map(repr, extra)) if isinstance(extra, tuple) else "",
            "boolean": "True | False",
        }.get(verb, "")
        rules[name] = text + (" or None" if optional and text else "")
    return rules


def keras_class(path: str) -> tuple[ast.ClassDef, ast.Module]:
    """Return the class statement that Keras exports under `path`, and its module.

    Raises:
        LookupError: Keras exports no such class.
    """
    name = path.rsplit(".", 1)[1]
    for file, exported in _keras_exports(path.split(".")[1]).items():
        if path in exported:
            module = parse(file)
            for node in module.body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return node, module
    raise LookupError(f"This version of Keras has no {path}.")


@functools.cache
def _keras_exports(kind: str) -> dict[Path, set[str]]:
    spec = importlib.util.find_spec("keras")
    root = Path(spec.submodule_search_locations[0]) / "src" / kind
    export = re.compile(r'"(keras\.[\w.]+)"')
    return {
        file: set(export.findall(file.read_text(encoding="utf-8")))
        for file in root.rglob("*.py")
        if not file.name.endswith("_test.py")
    }
