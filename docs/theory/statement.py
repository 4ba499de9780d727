"""Statements of the theory pages, each with the experiment that shows it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import keras


@dataclass(frozen=True)
class Statement:
    """A statement, the experiment that shows it, and its test.

    Args:
        experiment: A function that returns the numbers that its docstring names in braces, and an
            SVG. The first line of its docstring is the statement.
        file: The file of its test, in `tests/theory`.
        test: The name of that test.
    """

    experiment: Callable[[], tuple[dict[str, float], bytes]]
    file: str
    test: str

    @property
    def name(self) -> str:
        return self.experiment.__name__.replace("_", "-")

    @property
    def title(self) -> str:
        return inspect.getdoc(self.experiment).partition("\n")[0]

    def shown(self) -> tuple[str, bytes]:
        """Run the experiment, and return the text with its numbers, and the figure."""
        keras.utils.set_random_seed(0)
        numbers, picture = self.experiment()
        text = inspect.getdoc(self.experiment).partition("\n")[2].strip()
        return _readable(text.format(**numbers)), picture


def _readable(text: str) -> str:
    """Return a text in which no number is written as `1.4e+04`: it is 14,000."""
    return re.sub(r"(-?\d(?:\.\d+)?)e([+-]\d+)", _number, text)


def _number(match: re.Match) -> str:
    mantissa, exponent = match[1], int(match[2])
    digits = len(mantissa.partition(".")[2]) - exponent
    if -5 < exponent < 6:
        return f"{float(match[0]):,.{max(digits, 0)}f}"
    return f"{mantissa} · 10{str(exponent).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_STATEMENTS: dict[str, list[Statement]] = {}


def tested_by(file: str, test: str):
    """Return a decorator that makes a function the experiment of a statement."""

    def decorate(experiment):
        _STATEMENTS.setdefault(experiment.__module__, []).append(Statement(experiment, file, test))
        return experiment

    return decorate


def statements(chapter: ModuleType) -> list[Statement]:
    """Return the statements of a chapter, in its order."""
    return _STATEMENTS[chapter.__name__]


def page(chapter: ModuleType, place: str) -> dict[str, str | bytes]:
    """Run a chapter's experiments, and return its page and figures.

    Args:
        chapter: a module whose docstring begins the page.
        place: the page's place in the site, without its suffix.
    """
    title, _, introduction = inspect.getdoc(chapter).partition("\n")
    blocks, files = [f"# {title}", introduction.strip()], {}
    for each in statements(chapter):
        text, picture = each.shown()
        files[f"{place}/{each.name}.svg"] = picture
        shown = f"![{each.title}]({place.rpartition('/')[2]}/{each.name}.svg)"
        held = f"Tested by `{each.test}` in `tests/theory/{each.file}`."
        blocks += [f"## {each.title}", text, shown, held]
    return {f"{place}.md": "\n\n".join(blocks) + "\n", **files}
