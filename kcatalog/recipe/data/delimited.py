"""Delimited text: the cells of a CSV file, whatever separates them, and the lines they stand in."""

from __future__ import annotations

import collections
import csv
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.terminal.errors import RecipeError

SEPARATORS = (";", "\t", "|", ",")  # a comma may also be a decimal comma: it comes last
NAMES = {";": "semicolon", "\t": "tab", "|": "bar"}
SNIFFED = 200  # lines that decide
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d\d|\d{4}-\d\d")
DECIMAL_COMMA = re.compile(r"\s*[-+−]?\d+,\d+\s*")
NUMBER = re.compile(r"[-+−]?[^\w\s]?\s*[-+−]?\d")  # what a cell with a number begins with


@dataclass(frozen=True)
class Table:
    """The cells of a file, as text without spaces around it.

    name: of the file, for messages.
    names: of the columns: those of the header, or 1, 2 and so on.
    rows: cells, as many in each as there are names.
    lines: the line of the file in which each row stands.
    separator: between cells; "" where there is one column.
    findings: what was left out, and what its readers found.
    """

    name: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str
    findings: list[Finding]

    def column(self, column: str) -> list[str]:
        """Return the cells of the column with this name, which no other column has."""
        place = self.names.index(column)
        return [row[place] for row in self.rows]


def column_of(name_or_path, option: str, stated: str | None) -> tuple[Path, str] | None:
    """Return the file and the column of `FILE:COLUMN`, which an option may state, too."""
    file, colon, column = str(name_or_path or "").rpartition(":")
    path = Path(file).expanduser()
    if not colon or Path(str(name_or_path)).exists() or not path.is_file():
        return None
    if stated not in (None, column):
        raise RecipeError(
            f"The {option} must be said once. Received: {column!r} with --data and {stated!r} with "
            f"--{option}. Leave one out."
        )
    return path, column


def read(file: Path, decimal: str | None = None) -> Table:
    """Read a file of delimited text.

    Args:
        file: in UTF-8, a line per row. A header has no numbers and no dates.
        decimal: "," where that is no separator, as numbers have a decimal comma.
    """
    lines = read_text(file).splitlines()
    comments = {n: line for n, line in enumerate(lines, 1) if line.lstrip()[:1] == "#"}
    for n in comments:
        lines[n - 1] = ""
    if lines and (declared := re.fullmatch(r'"?sep=(.)"?', lines[0])):  # as Excel writes it
        lines[0], separator = "", declared[1]
    else:
        separator = _separator(lines, decimal)
    reader = csv.reader(lines, delimiter=separator or "\0", skipinitialspace=True)
    try:
        numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as e:
        raise RecipeError(
            f"{file} must be a CSV file, a line per step. Received: {e} in line {reader.line_num}."
        ) from e
    numbered = [(n, row) for n, row in numbered if n not in comments] if comments else numbered
    blank = [not any(row) for _, row in numbered]
    first = len(list(itertools.takewhile(bool, blank)))
    last = len(blank) - len(list(itertools.takewhile(bool, reversed(blank))))
    numbered = numbered[first:last]
    if not numbered:
        raise RecipeError(f"{file} must be a CSV file, a line per step. Received: an empty file.")
    numbered = _without_empty_columns(numbered)
    header = not any(_is_data(cell) for cell in numbered[0][1])
    width = _width(file, numbered, header)
    names = [str(n + 1) for n in range(width)]
    if header:
        names = [
            cell or name for cell, name in zip(_padded(numbered[0][1], width), names, strict=True)
        ]
        numbered = numbered[1:]
    found = []
    if separator in NAMES:
        found.append(Finding("separator", f"cells are separated by a {NAMES[separator]}"))
    if comments:
        found.append(
            Finding(
                "left out",
                f"{len(comments)} comments, such as {next(iter(comments.values()))[:40]!r}",
            )
        )
    return Table(
        str(file),
        names,
        [_padded(row, width) for _, row in numbered],
        [line for line, _ in numbered],
        separator,
        found,
    )


def _separator(lines: list[str], decimal: str | None) -> str:
    """Return what stands equally often in nearly all lines; "" for one column."""
    lines = list(itertools.islice(filter(str.strip, lines), SNIFFED))
    for separator in SEPARATORS:
        if separator == decimal:
            continue
        widths = collections.Counter(len(row) for row in csv.reader(lines, delimiter=separator))
        if not widths:
            return ""
        width, count = widths.most_common(1)[0]
        if width > 1 and count >= 0.9 * len(lines):
            halves = [line for line in lines if DECIMAL_COMMA.fullmatch(line)]
            named = "," not in lines[0] and len(halves) >= 0.9 * (len(lines) - 1)
            return "" if separator == "," and named else separator  # one name above "1,5"
    return ""


def _is_data(cell: str) -> bool:
    return bool(DATE.search(cell) or NUMBER.match(cell))


def _without_empty_columns(numbered: list[Any]) -> list[Any]:
    """Return rows without the empty cells that separators at the end of lines make."""
    width = max(len(row) for _, row in numbered)
    while width > 1 and not any(row[width - 1] for _, row in numbered if len(row) >= width):
        width -= 1
    return [(line, row[:width] if len(row) > width else row) for line, row in numbered]


def _width(file: Path, numbered: list[Any], header: bool) -> int:
    """Return how many cells a row has, of which those at the end may be missing."""
    widths = collections.Counter(len(row) for _, row in numbered if any(row))
    width = len(numbered[0][1]) if header else widths.most_common(1)[0][0]
    for line, row in numbered:
        if len(row) > width:
            fix = "Remove lines above the header, or quote" if header else "Quote"
            raise RecipeError(
                f"{file} must be a CSV file, a line per step, with as many cells in each. "
                f"Received: {len(row)} cells in line {line} ({', '.join(row)[:60]}), {width} in "
                f"{'the header' if header else 'others'}. {fix} cells with a comma in them, such "
                'as "1,5".'
            )
    return width


def _padded(row: list[str], width: int) -> list[str]:
    return row if len(row) == width else row + [""] * (width - len(row))
