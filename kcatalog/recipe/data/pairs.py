"""Pairs of texts: dates in many languages and their ISO form, or the user's own pairs."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import Data, Source, need, split
from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.data.text import code_points, unix
from kcatalog.recipe.terminal.errors import RecipeError

LOCALES = ("cs", "da", "de", "en", "es", "fi", "fr", "it", "nl", "pl", "pt", "sv", "tr")
FORMATS = ("medium", "long", "full")  # short ones, such as 03/04/05, mean several dates
DATES, WAYS = 3000, 3  # dates, and the ways in which each is written
LEAST, NAMED = 20, 5  # different targets to learn from, bad lines that are named
END = 0  # the id that ends a target, starts it and fills it up


@dataclasses.dataclass(frozen=True)
class PairDetails(Details):
    """Facts about pairs of texts.

    steps: characters of the longest source; the rest of the input is the target, one step late.
    """

    steps: int = 0

    def entry(self, raw: Any):
        """Return the specification of texts, and the function to code points and empty targets."""
        import tensorflow as tf

        def read(text):
            codes = tf.strings.unicode_decode(text, "UTF-8", replacement_char=0xFFFD)
            codes = codes.to_tensor(shape=[None, self.steps])
            return tf.cast(tf.pad(codes, [[0, 0], [0, raw.shape[1] - self.steps]]), raw.dtype)

        return tf.TensorSpec([None], tf.string, name="text"), read


@with_options
class Pairs(Source):
    """Pairs of texts, source and target, as the characters of both.

    An input is the source's Unicode code points, filled up with 0, and after them the target's
    characters as class indices, one step late: while training, a decoder reads them. The labels are
    the target's characters. A target is in one split only, so that no answer is known.
    """

    wanted = "a text file with a pair in each line: source, tab, target"
    Details = PairDetails

    default: str = "dates"
    longest: int = option(200, "The most characters of a source or a target.", min=1)

    def sets(self):
        return {"dates": _dates}

    def from_path(self, path: Path, seed: int) -> Data:
        pairs, bad = [], []
        for number, line in enumerate(unix(read_text(path)).split("\n"), 1):
            cells = [cell.strip() for cell in line.split("\t")]
            if not any(cells):
                continue
            if fault := self._fault(cells):
                bad.append(f"line {number} has {fault}")
            pairs.append(cells)
        if bad:
            more = f", and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
            raise RecipeError(
                f"{path} must have a source, a tab and a target in each line. "
                f"Received: {'; '.join(bad[:NAMED])}{more}. Correct or remove the lines."
            )
        return _data(path.name, pairs, seed)

    def _fault(self, cells: list[str]) -> str | None:
        """Return what is wrong with a line."""
        if len(cells) != 2:
            return f"{len(cells)} column{'s' * (len(cells) != 1)}"
        if not all(cells):
            return "an empty cell"
        longest = max(map(len, cells))
        return f"{longest} characters (--longest)" if longest > self.longest else None

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        """Read the sources in text files, one a line."""
        steps, found = info.details.steps, []
        for path in paths:
            lines = [line.strip() for line in unix(read_text(Path(path))).split("\n")]
            found += filter(None, lines)
            if long := next((n for n, line in enumerate(lines, 1) if len(line) > steps), None):
                raise RecipeError(
                    f"{path} must have at most {steps} characters in a line, as the training data "
                    f"had. Received: {len(lines[long - 1])} in line {long}. Shorten it."
                )
        if not found:
            raise RecipeError(f"{paths[0]} must have a source in each line. Received: none.")
        return np.array(found)

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        return []  # a file has many sources


def _dates(seed: int) -> Data:
    """Write random dates from 1950 to 2049 as people do in 13 languages."""
    dates = need("babel.dates", "babel")
    rng, first = np.random.default_rng(0), datetime.date(1950, 1, 1).toordinal()
    days = rng.choice(datetime.date(2050, 1, 1).toordinal() - first, DATES, replace=False)
    pairs = []
    for day in days.tolist():
        date = datetime.date.fromordinal(first + day)
        for locale in rng.choice(LOCALES, WAYS, replace=False).tolist():
            style = FORMATS[rng.integers(len(FORMATS))]
            pairs.append((dates.format_date(date, style, locale), date.isoformat()))
    return _data("dates", pairs, seed)


def _data(name: str, pairs: list[Any], seed: int) -> Data:
    sources, targets = map(list, zip(*pairs, strict=True)) if pairs else ([], [])
    values, value = np.unique(np.array(targets, dtype=object), return_inverse=True)
    if len(values) < LEAST:
        raise RecipeError(
            f"{name} must have at least {LEAST} different targets, as those that are tested are "
            f"not among those that are learned. Received: {len(values)}. Add pairs."
        )
    classes = ("", *sorted(set("".join(targets))))
    index = {character: i for i, character in enumerate(classes)}
    steps, length = max(map(len, sources)), max(map(len, targets)) + 1  # it ends
    x = np.zeros((len(pairs), steps + length), "int32")
    y = np.full((len(pairs), length), END, "int32")
    for i, (source, target) in enumerate(zip(sources, targets, strict=True)):
        x[i, : len(source)] = code_points(source)
        y[i, : len(target)] = [index[character] for character in target]
    x[:, steps + 1 :] = y[:, :-1]
    parts = split(np.arange(len(values)), np.arange(len(values), dtype="float64"), seed)
    places = {part: np.flatnonzero(np.isin(value, of)) for part, (of, _) in parts.items()}
    return Data(
        name=name,
        task="translation",
        input_name="text",
        classes=classes,
        details=PairDetails(steps),
        findings=(
            Finding(
                "pairs", f"{len(pairs):,}, {len(values):,} different targets, each in one part"
            ),
        ),
        requests=np.array(sources)[places["test"]],
        **{part: (x[at], y[at]) for part, at in places.items()},
    )
