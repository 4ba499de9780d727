"""Text: the Python language reference inside every CPython, or any text file."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kcatalog.recipe.data.base import Arrays, Data, Source
from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.terminal.errors import RecipeError


@with_options
class Text(Source):
    """Characters as Unicode code points, in windows; the target is the next character.

    Windows for validation and test are longer, as a window's first characters are predicted with
    little to go by.
    """

    wanted = "a text file in UTF-8"

    default: str = "python"
    length: int = option(128, "Characters in a training window.", min=2)
    context: int = option(1024, "Characters in a validation or test window.", min=2)

    def sets(self):
        return {"python": self._python}

    def from_path(self, path: Path, seed: int) -> Data:
        text = read_text(path)
        lines = text.count("\r")
        found = (
            [Finding("line ends", f"CRLF or CR in {lines:,} lines, read as LF")] if lines else []
        )
        return self._data(path.name, unix(text), found)

    def read(self, paths: list[Path], info: DataInfo) -> list[str]:
        """Read the end of each file, from which the model continues."""
        prompts = [unix(read_text(Path(path)))[-self.context :] for path in paths]
        if "" in prompts:
            raise RecipeError(
                f"{paths[prompts.index('')]} must hold text to continue. Received: an empty file."
            )
        return prompts

    def _python(self, seed: int) -> Data:
        """Load the Python language reference, as `help()` shows it."""
        from pydoc_data.topics import topics

        return self._data("python", "".join(topics[name] for name in sorted(topics)))

    def _data(self, name: str, text: str, found: Sequence[Finding] = ()) -> Data:
        """Train on the first 85 %, validate on the next 5, test on the last 10."""
        needed = 20 * self.length
        if len(text) < needed:
            raise RecipeError(
                f"{name} must hold at least {needed} characters to learn from. "
                f"Received: {len(text)}. Give a longer text."
            )
        counts = collections.Counter(text)
        classes = tuple(sorted(counts))
        if len(classes) < 2:
            raise RecipeError(
                f"{name} must hold different characters to learn from. Received: {classes[0]!r} "
                f"{len(text):,} times. Give another text."
            )
        codes = code_points(text)
        labels = np.searchsorted(code_points("".join(classes)), codes).astype("int32")
        first, second = round(0.85 * len(text)), round(0.9 * len(text))
        return Data(
            name=name,
            task="next-character",
            input_name="characters",
            train=windows(codes[:first], labels[:first], self.length),
            validation=windows(codes[first:second], labels[first:second], self.context),
            test=windows(codes[second:], labels[second:], self.context),
            classes=classes,
            findings=(*found, *_characters(counts, text[:first])),
        )


def _characters(counts: collections.Counter, learned: str) -> list[Finding]:
    """Describe the characters, and those that are too rare to be learned."""
    total = f"{counts.total():,}, {len(counts):,} different ones"
    found = [Finding("characters", total)]
    once = [character for character, count in counts.items() if count == 1]
    if once:
        found.append(Finding("rare", f"{len(once)} seen once: {listed(map(repr, once))}"))
    unseen = sorted(counts.keys() - set(learned))
    if unseen:
        text = f"{len(unseen)} that only validation or test have: {listed(map(repr, unseen))}"
        found.append(Finding("not learned", text, warning=True))
    return found


def unix(text: str) -> str:
    """Return a text with LF at the end of each line.

    >>> unix("a\\r\\nb\\rc\\n")
    'a\\nb\\nc\\n'
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")


def code_points(text: str) -> np.ndarray:
    """Characters as Unicode code points.

    >>> code_points("aé").tolist()
    [97, 233]
    """
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype("int32")


def windows(codes: np.ndarray, labels: np.ndarray, length: int) -> Arrays:
    """Non-overlapping windows of at most `length` that leave out next to nothing.

    >>> x, y = windows(np.arange(8), np.arange(8), length=4)
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 6]])
    """
    pairs = len(codes) - 1
    count = math.ceil(pairs / length)
    length = pairs // count
    x, y = codes[: count * length], labels[1 : count * length + 1]
    return x.reshape(count, length), y.reshape(count, length)
