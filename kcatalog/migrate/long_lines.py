"""Lines that a migration made too long, broken as a formatter breaks them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence

from kcatalog.migrate import scope
from kcatalog.migrate.text import NEWLINE, Text

LIMIT = 100  # characters
_ENOUGH = 20  # characters between brackets that are worth lines of their own
Breakable = ast.Call | ast.List | ast.ImportFrom


def broken(code: str, changed: Mapping[int, int], newline: str) -> tuple[str, Sequence[int]]:
    """Return a source with its long lines broken, and for each line the number that it had.

    Args:
        code: the migrated source.
        changed: lines that the migration changed -> how long they were; others stay as they are.
        newline: what ends a line.
    """
    limits = {n: max(LIMIT, length) for n, length in changed.items()}
    numbers = list(range(1, len(Text(code).starts) + 1))
    while True:
        text, lines = Text(code), NEWLINE.split(code)
        over = {n: len(lines[n - 1]) - limit for n, limit in limits.items()}
        over = {n: more for n, more in over.items() if more > 0}
        node = _longest(scope.parse(code), text, over) if over else None
        if node is None:
            return code, numbers
        n = node.lineno
        start, line = text.starts[n - 1], lines[n - 1]
        new = _broken(text, node, line)
        code = code[:start] + newline.join(new) + code[start + len(line) :]
        more = len(new) - 1
        limits = {m + more if m > n else m: limit for m, limit in limits.items()}
        limits |= dict.fromkeys(range(n, n + more + 1), LIMIT)
        numbers[n:n] = [numbers[n - 1]] * more


def _longest(tree: ast.Module, text: Text, over: Mapping[int, int]) -> Breakable | None:
    """Return the node with the most in it in lines that are over their limit, if it is enough."""

    def length(node):
        start, stop = _inside(text, node)
        return stop - start

    found = [n for n in _outside_strings(tree) if n.lineno == n.end_lineno and n.lineno in over]
    found = [n for n in found if length(n) > min(over[n.lineno], _ENOUGH)]
    return max(found, key=length, default=None)


def _outside_strings(node: ast.AST) -> Iterator[Breakable]:
    """Yield the nodes that can be broken, but for those in f-strings."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr):
            continue
        if isinstance(child, Breakable) and _elements(child):
            yield child
        yield from _outside_strings(child)


def _elements(node: Breakable) -> list[ast.AST]:
    if isinstance(node, ast.Call):
        return sorted([*node.args, *node.keywords], key=lambda n: (n.lineno, n.col_offset))
    return node.elts if isinstance(node, ast.List) else node.names


def _inside(text: Text, node: Breakable) -> tuple[int, int]:
    """Return where what stands between the brackets begins and ends; an import may have none."""
    start, stop = text.span(node)
    if isinstance(node, ast.ImportFrom):
        if not text.source[:stop].endswith(")"):
            return text.span(node.names[0])[0], stop
        start = text.source.index("(", start)
    elif isinstance(node, ast.Call):
        start = text.source.index("(", text.span(node.func)[1])
    return start + 1, stop - 1


def _broken(text: Text, node: Breakable, line: str) -> list[str]:
    """Return the lines that a line becomes with the elements of a node below its bracket."""
    start, stop = _inside(text, node)
    elements, at = _elements(node), text.starts[node.lineno - 1]
    pieces, begin = [], start
    for one, other in itertools.pairwise(elements):
        comma = text.source.index(",", text.span(one)[1], text.span(other)[0])
        pieces.append(text.source[begin:comma].strip())
        begin = comma + 1
    pieces.append(text.source[begin:stop].strip().removesuffix(",").rstrip())
    indent = line[: len(line) - len(line.lstrip())]
    inner = indent + ("\t" if "\t" in indent else "    ")
    below = [inner + ", ".join(pieces)]
    if len(below[0]) > LIMIT and len(pieces) > 1:
        below = [f"{inner}{piece}," for piece in pieces]
    head, tail = line[: start - at].rstrip(), line[stop - at :]
    if isinstance(node, ast.ImportFrom) and not head.endswith("("):
        head, tail = f"{head} (", f"){tail}"
    return [head, *below, indent + tail]
