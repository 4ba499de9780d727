"""Objects that take the place of another library's, as a row or the code in its hint makes them."""

import ast

import keras

import kcatalog
from kcatalog.migrate.models import arguments


def successor(row, old, number=0):
    """Return what a row makes of old arguments, or the call that its hint names (from 0)."""
    if not row.hint:
        form, new = arguments.new_call(row, old)
        return arguments.resolve(form.to)(**new)
    defaults = {k: v for k, v in row.signature.defaults.items() if v is not None}
    known = {k: ast.literal_eval(v) for k, v in defaults.items() if v[0] not in "_'"} | old
    tree = list(_calls(row.hint))[number]
    code = compile(ast.Expression(tree), row.name, "eval")
    return eval(code, {"keras": keras, "kcatalog": kcatalog, **known})  # noqa: S307 - of our table


def _calls(text):
    """Yield the calls of Keras and kcatalog in a text."""
    end = 0
    for start in range(len(text)):
        if start < end or not text[start:].startswith(("keras.", "kcatalog.")):
            continue
        for stop in (i + 1 for i in range(start, len(text)) if text[i] == ")"):
            try:
                tree = ast.parse(text[start:stop], mode="eval").body
            except SyntaxError:
                continue
            if isinstance(tree, ast.Call):
                yield tree
            end = stop
            break
