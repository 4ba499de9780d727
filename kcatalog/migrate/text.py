"""A source in which parts are replaced."""

from __future__ import annotations

import ast
import bisect
import re

NEWLINE = re.compile(r"\r\n|\r|\n")


def _lines(text: str) -> int:
    return len(NEWLINE.findall(text))


class Text:
    """A source with replacements that do not overlap; a later one swallows those inside it."""

    def __init__(self, source: str):
        self.source = source
        self.starts = [0, *(m.end() for m in NEWLINE.finditer(source))]
        self._ascii = source.isascii()
        self._edits: list[tuple[int, int, str]] = []

    def offset(self, line: int, column: int) -> int:
        """Return the index of a position as `ast` counts it, in bytes of UTF-8."""
        start = self.starts[line - 1]
        if self._ascii:
            return start + column
        stop = self.starts[line] if line < len(self.starts) else len(self.source)
        return start + len(self.source[start:stop].encode()[:column].decode())

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins and ends."""
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def line(self, offset: int) -> int:
        """Return the number of the line at an index."""
        return bisect.bisect_right(self.starts, offset)

    def replace(self, start: int, stop: int, text: str):
        """Replace a part of the source."""
        self._edits = [
            e for e in self._edits if not (start <= e[0] and e[1] <= stop and e[1] > start)
        ]
        self._edits.append((start, stop, text))

    def line_after(self, line: int) -> int:
        """Return the number that a line has once the parts are replaced."""
        start = self.starts[line - 1]
        before = (e for e in self._edits if e[1] <= start)
        return line + sum(_lines(text) - _lines(self.source[a:b]) for a, b, text in before)

    def changed(self) -> dict[int, int]:
        """Return the lines of the new source that differ -> the length of the longest old line."""
        lines, old = {}, NEWLINE.split(self.source)
        for start, stop, text in self._edits:
            first, last = self.line(start), self.line(stop)
            length = max(map(len, old[first - 1 : last]))
            after = self.line_after(first)
            for n in range(after, after + _lines(text) + 1):
                lines[n] = max(length, lines.get(n, 0))
        same, new = set(old), NEWLINE.split(self.get())
        return {
            n: length for n, length in lines.items() if n <= len(new) and new[n - 1] not in same
        }

    def insert(self, start: int, stop: int, text: str):
        """Replace whole lines between statements, whatever begins behind them."""
        self._edits.append((start, stop, text))

    def get(self, start: int = 0, stop: int | None = None) -> str:
        """Return a part of the source with what was replaced in it."""
        stop = len(self.source) if stop is None else stop
        parts, at = [], start
        for a, b, text in sorted(self._edits, key=lambda e: e[:2]):
            if start <= a and b <= stop:
                parts += [self.source[at:a], text]
                at = b
        return "".join([*parts, self.source[at:stop]])
