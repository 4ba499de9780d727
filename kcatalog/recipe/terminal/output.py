"""The console of a recipe: text as it is, whole words, and tables that cut nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Callable, Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
)
from rich.table import Table
from rich.text import Text

WIDEST = 10_000  # columns of a pipe or a log
# A command after a colon, up to the end of its sentence, is not to be broken. Nor is one in
# backticks, nor a word.
COMMAND = (
    r"(?:^|(?<=: ))(?:--[a-z]|(?:pip|find|ffmpeg|iconv|curl|tensorboard|export) )"
    r".*?(?=\.? [A-Z]|\.?$)"
)
UNIT = re.compile(rf"{COMMAND}|(?:`[^`\n]*`|\S)+", re.MULTILINE)


class WholeWords(Console):
    """A console that starts new lines between words only.

    A path that is longer than the line, and a command, stay in one piece, so that they can be
    copied. Pipes and logs get whole lines.
    """

    def print(self, *objects, soft_wrap: bool | None = None, **how) -> None:
        """Print. With `soft_wrap=True`, the text is printed as it is."""
        if soft_wrap is None:
            soft_wrap = all(isinstance(each, str | Text) for each in objects)
            if soft_wrap and self.is_terminal:
                objects = [wrapped(each, self.width) for each in objects]
        super().print(*objects, soft_wrap=soft_wrap, **how)

    def rule(self, title: str = "", **how) -> None:
        """Print a heading in full. Rich's is as wide as the console, and cuts what is wider."""
        self.print(f"── {title} ──", style=how.get("style"))


def console(**options) -> Console:
    """Return a console that prints text literally: users' names may hold brackets and colons."""
    made = WholeWords(highlight=False, markup=False, emoji=False, **options)
    if not made.is_terminal and "width" not in options and "COLUMNS" not in os.environ:
        made.width = WIDEST
    return made


def wrapped(text: str | Text, width: int) -> str | Text:
    r"""Replace the spaces at which new lines begin.

    >>> wrapped("Run `pip install keras` now.", 12)
    'Run\n`pip install keras`\nnow.'
    """
    if isinstance(text, Text):
        text = text.copy()
        text.plain = wrapped(text.plain, width)  # of the same length, so that styles stay in place
        return text
    characters = list(text)
    column = end = 0
    for unit in UNIT.finditer(text):
        space, size = text[end : unit.start()], cell_len(unit[0])
        if "\n" in space:
            space, column = space.rpartition("\n")[2], 0
        if column and space and column + len(space) + size > width:
            characters[unit.start() - 1] = "\n"
            column = size
        else:
            column += len(space) + size
        end = unit.end()
    return "".join(characters)


def entry(about: str, text: str, console: Console, indent: int) -> str:
    """Return `about` and a text that is wrapped to the right of it."""
    if console.is_terminal:
        text = str(wrapped(text, max(20, console.width - indent)))
    return about.ljust(indent) + text.replace("\n", "\n" + " " * indent)


def table(*headers: str, title: str | None = None) -> Table:
    """Return a table whose cells are folded, never cut, where the terminal is too narrow."""
    drawn = Table(title=title)
    for header in headers:
        drawn.add_column(header, overflow="fold")
    return drawn


def bar(console: Console, *columns: ProgressColumn, **options) -> Progress:
    """Return a bar as wide as the terminal, between a description and further columns."""
    first = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(None)
    return Progress(*first, *columns, console=console, transient=True, expand=True, **options)


@contextlib.contextmanager
def steps(about: str, total: int, console: Console) -> Iterator[Callable[[str], None]]:
    """Show a bar over steps of some seconds each in a terminal; a log gets a line for each.

    Yields a function that begins the next step, which it is told the name of.
    """
    shown, begun = bar(console, MofNCompleteColumn()), itertools.count(1)
    task = shown.add_task(about, total=total)

    def begin(name: str) -> None:
        number = next(begun)
        shown.update(task, description=f"{about} {name}", completed=number - 1)
        if not console.is_terminal:
            console.print(f"{about} {name} ({number} of {total})")

    with shown if console.is_terminal else contextlib.nullcontext():
        yield begin
