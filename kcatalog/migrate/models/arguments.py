"""Turns the config of an old object into arguments of what replaces it, by the row of a table."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping

from kcatalog.migrate import table
from kcatalog.migrate.models.error import ModelError
from kcatalog.migrate.row import PLACEHOLDER, Row


class Left(Exception):  # noqa: N818
    """The row leaves a config with these arguments. Its message is the row's hint."""


def new_call(row: Row, old: Mapping) -> tuple[Row, dict]:
    """Return the row that applies (it or one of its `otherwise`) and the new arguments.

    A config states all arguments, so that what the row says about defaults needs no care.
    """
    while True:
        try:
            return row, _arguments(row, old)
        except Left as e:
            if row.otherwise is None:
                raise ModelError(str(e)) from e
            row = row.otherwise


def resolve(path: str):
    """Return the object at a full path, such as `keras.layers.Dense`."""
    first, *rest = path.split(".")
    found = importlib.import_module(first)
    for name in rest:
        found = getattr(found, name)
    return found


def evaluate(text: str, old: Mapping, **more):
    """Evaluate an expression of the table, in which `{x}` is an old argument."""
    values = {f"old_{k}": v for k, v in {**old, **more}.items()}
    source = PLACEHOLDER.sub(lambda m: f"old_{m[1]}", text)
    tree = ast.parse(source, mode="eval")
    roots = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - set(values)
    modules = {r: importlib.import_module(r) for r in roots if r in ("keras", "kcatalog", "numpy")}
    return eval(compile(tree, text, "eval"), {**modules, **values})  # noqa: S307 - text of our tables


def _arguments(row: Row, old: Mapping) -> dict:
    old = dict(old)
    if row.signature:
        for x, default in row.signature.defaults.items():
            if x not in old and default is not None:
                old[x] = _literal(default)
    if row.hint or not row.to:
        raise Left(row.hint or row.reason)
    new, consumed = {}, set(row.drop) | set(row.compute) & set(old)
    for x, value in old.items():
        try:
            _refuse_left(row, x, value)
            keep, value = _new_value(row, x, value, old) if x in row.values else (True, value)
        except Left:
            if not x.endswith("_initializer"):
                raise
            keep = False  # the weights come from the file
        if not keep:
            continue
        by_hand = x in row.leave and x not in row.values and x not in row.numbers
        if x not in consumed and x != row.into and not (by_hand and x not in row.compute):
            new[row.rename.get(x, x)] = value
    for name, text in row.compute.items():
        if all(x in old for x in PLACEHOLDER.findall(text)):
            new[name] = evaluate(text, old)
    for name, text in row.add.items():
        if name not in new:
            new[name] = evaluate(text, old)
    return new


def _refuse_left(row: Row, x: str, value) -> None:
    if x in row.numbers and not (isinstance(value, int | float) or value is None):
        raise Left(row.leave.get(x, f"`{x}` is no number."))
    default = row.signature.defaults.get(x) if row.signature else None
    given = default is None or value != _literal(default)
    always = x in row.leave and x not in row.values and x not in row.numbers
    if always and given and value not in (None, 0, 0.0):
        raise Left(row.leave[x])


def _new_value(row: Row, x: str, value, old: Mapping):
    """Return whether the argument stays, and its new value."""
    for key, text in row.values[x].items():
        if key != "*" and _same(key, value):
            return bool(text), evaluate(text, old) if text else None
    if "*" in row.values[x]:
        text = row.values[x]["*"].replace("{}", f"{{{x}}}")
        return bool(text), evaluate(text, old) if text else None
    raise Left(row.leave.get(x, f"`{x}={value!r}` has no counterpart."))


def _same(key: str, value) -> bool:
    """Tell whether an old value as Python writes it is this value of a config."""
    try:
        return ast.literal_eval(key) == value
    except ValueError:  # a name such as keras.losses.Reduction.NONE, whose value is "none"
        return isinstance(value, str) and key.rpartition(".")[2].lower() == value


def _literal(text: str):
    try:
        return ast.literal_eval(text)
    except ValueError:
        return text.rpartition(".")[2].lower()


def row_of(name: str, modules) -> Row | None:
    """Return the row of TensorFlow Addons' object with this class name, looked for in modules."""
    library = table.load("tensorflow_addons")
    for module in modules:
        if row := library.rows.get(f"{module}.{name}"):
            return row
    return None
