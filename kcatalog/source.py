"""Reads a part's source as text: its card, its docstring, its signature, its rules.

Nothing here imports what it reads about, so the catalog answers without a backend.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

from kcatalog import card

_CARD_WORDS = {
    name: getattr(card, name)
    for name in ("Paper", "Part", "Example", "Float", "Int", "Choice", "By", "Card")
}
_SECTION = re.compile(r"^([A-Z][A-Za-z ]+):\s*$")


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


def docstring_sections(docstring: str) -> dict[str, str]:
    """Split a docstring by section title; the text before the first title is under "".

    >>> docstring_sections("Adds.\\n\\nArgs:\\n    x: A number.")
    {'': 'Adds.', 'Args': 'x: A number.'}
    """
    sections, title, lines = {}, "", []
    for line in [*docstring.split("\n"), None]:
        match = _SECTION.match(line) if line is not None else None
        if line is None or match:
            sections[title] = inspect.cleandoc("\n" + "\n".join(lines))
            title, lines = match[1] if match else "", []
        else:
            lines.append(line)
    return sections


def first_formula(maths_section: str) -> str:
    """Return the first formula of a "Maths:" section, or "".

    >>> first_formula("With `w` the weights, `y = w x`.")
    'y = w x'
    """
    code = re.findall(r"`([^`]+)`", maths_section)
    return next((" ".join(c.split()) for c in code if "=" in c or "←" in c), "")


def argument_meanings(args_section: str) -> dict[str, str]:
    """Parse the "Args:" section into argument -> meaning."""
    parts = re.split(r"^(\w+):\s*", args_section, flags=re.MULTILINE)
    return {n: " ".join(text.split()) for n, text in zip(parts[1::2], parts[2::2], strict=True)}


def arguments(node: ast.ClassDef, module: ast.Module) -> tuple[Argument, ...]:
    """Return a class's constructor arguments, with those that kcatalog's bases state."""
    init, rules = _init(node, module)
    if init is None:
        return ()
    meanings = argument_meanings(docstring_sections(ast.get_docstring(node) or "").get("Args", ""))
    a = init.args
    positional = [x.arg for x in a.posonlyargs + a.args][1:]
    defaults = dict(zip(reversed(positional), reversed(a.defaults), strict=False))
    defaults |= {x.arg: d for x, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d}
    return tuple(
        Argument(
            name=name,
            required=name not in defaults,
            default=_literal(defaults[name]) if name in defaults else None,
            rule=rules.get(name, ""),
            meaning=meanings.get(name, ""),
        )
        for name in positional + [x.arg for x in a.kwonlyargs]
    )


def _init(node: ast.ClassDef, module: ast.Module):
    """Return a class's `__init__`, its own or inherited, and the rules it checks."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return statement, _rules(statement)
    for base in node.bases:
        found = _kcatalog_class(ast.unparse(base), module)
        if found is not None:
            return _init(*found)
    return None, {}


def _kcatalog_class(name: str, module: ast.Module):
    """Return a class that `module` imports from kcatalog, and the module that defines it."""
    for statement in module.body:
        if not isinstance(statement, ast.ImportFrom) or "kcatalog." not in statement.module:
            continue
        if name in [alias.name for alias in statement.names]:
            path = Path(__file__).parents[1].joinpath(*statement.module.split("."))
            other = parse(path.with_suffix(".py"))
            return next((n, other) for n in other.body if getattr(n, "name", "") == name)
    return None


def _literal(node: ast.expr):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _rules(init: ast.FunctionDef) -> dict[str, str]:
    """Argument -> rule, from calls such as `checks.number(self, "rate", rate, "[0, 1)")`."""
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
            "numbers_list": f"list of numbers in {extra}",
            "choice": " | ".join(map(repr, extra)) if isinstance(extra, tuple) else str(extra),
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
