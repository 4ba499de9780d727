"""Texts with a label each: docstrings of the standard library, a folder per class, or a table."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data import docstrings, folders
from kcatalog.recipe.data import targets as target_columns
from kcatalog.recipe.data.base import Data, Source, split
from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.data.scan import NOTHING, Kind
from kcatalog.recipe.data.tagged import CHARACTERS, TaggedDetails, write_code_points
from kcatalog.recipe.terminal.errors import RecipeError

# ASCII's punctuation, and scripts without spaces: each character is a token of its own
_SINGLE = "[!-/:-@\\[-`{-~\u3040-\u30ff\u3400-\u9fff]"
_TOKEN = re.compile(f"{_SINGLE}|(?:(?!{_SINGLE})\\S)+", re.ASCII)
LONGEST = 50  # characters of a text for each of its tokens, in requests
_SAVE = "Save {suffix} files as plain text."
TEXTS = Kind("texts", (".txt",), NOTHING, dict.fromkeys((".pdf", ".docx", ".doc", ".html"), _SAVE))


@dataclass(frozen=True)
class DocumentDetails(TaggedDetails):
    """The sizes of a text: most tokens, and characters of a token."""

    def entry(self, raw: Any):
        """Return what requests have in place of code points: texts."""
        import tensorflow as tf

        spec, code_points = super().entry(raw)

        def read(texts):
            texts = tf.strings.lower(texts, encoding="utf-8")
            texts = tf.strings.regex_replace(texts, _SINGLE, r" \0 ")
            return code_points(texts)[:, : self.steps]

        return spec, read


@with_options
class Documents(Source):
    """Texts as code points, (texts, tokens, characters), with a class for each text.

    A token is a word in lower case, or a single punctuation mark; zeros are padding.
    The columns `text` and `label` of a table are by default those of these names, else the column
    with the longest cells, and the other one.
    """

    wanted = "a folder with one subfolder of .txt files per class, or a CSV file"
    Details = DocumentDetails

    default: str = "python"
    steps: int = option(128, "Most tokens of a text.", min=2)
    text: str | None = option(None, "Column of the texts in your table.", metavar="NAME")
    label: str | None = option(None, "Column of the classes in your table.", metavar="NAME")

    def sets(self):
        return {"python": self._python}

    def from_path(self, path: Path, seed: int) -> Data:
        if path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".tab", ".txt"):
            return self._labelled(path.name, *self._columns(path), seed)
        found = folders.by_class(path, TEXTS)
        texts = [read_text(file) for file in found.files]
        parts = found.split(np.arange(len(texts)), seed)
        return self._data(path.resolve().name, texts, parts, found.classes, found.findings)

    def kind(self, info: DataInfo):
        return TEXTS

    def read(self, paths: list[Path], info: DataInfo) -> list[str]:
        """Read text files, one text each."""
        return [read_text(Path(path)) for path in paths]

    def _python(self, seed: int) -> Data:
        return self._labelled("python", *zip(*docstrings.labelled(), strict=True), seed)

    def _columns(self, file: Path) -> tuple[list[str], list[str]]:
        """Return the texts and the labels of a table, whose first line names the columns."""
        text = read_text(file)
        first = text.partition("\n")[0]
        separator = next((c for c in "\t;," if c in first), ",")
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        except csv.Error as e:
            raise RecipeError(f"{file} must be a CSV file with a header. Received: {e}.") from e
        names, *rows = [row for row in rows if any(row)] or [[]]
        bad = next((i for i, row in enumerate(rows, 1) if len(row) != len(names)), None)
        if bad or len(names) < 2 or not rows:
            received = f"{len(rows[bad - 1])} cells in row {bad}" if bad else f"{len(rows)} rows"
            raise RecipeError(
                f"{file} must have a text and a label in each row, and their names in the first "
                f"line. Received: {received}, {len(names)} names ({listed(names)}). Quote cells "
                'that contain a separator, such as "one, two".'
            )
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        sizes = {name: sum(map(len, cells)) for name, cells in columns.items()}
        texts = self._named("text", file, columns) or max(sizes, key=sizes.get)
        others = [name for name in columns if name != texts]
        label = self._named("label", file, columns) or (others[0] if len(others) == 1 else None)
        if label in (None, texts):
            raise RecipeError(
                f"{file} must have a column of classes beside its texts. Received: "
                f"{listed(map(repr, names))}. Name it: --label NAME."
            )
        return list(columns[texts]), list(columns[label])

    def _named(self, option: str, file: Path, columns) -> str | None:
        """Return the column that an option names, or that is called as the option is."""
        wanted = getattr(self, option)
        if wanted is None:
            return option if option in columns else None
        if wanted not in columns:
            raise RecipeError(
                f"--{option} must be a column of {file}. Received: {wanted!r}. "
                f"Its columns: {listed(map(repr, columns), 20)}."
            )
        return wanted

    def _labelled(self, name: str, texts, labels, seed: int) -> Data:
        """Split texts whose labels stand beside them; those without a label are left out."""
        kept = [(t, label.strip()) for t, label in zip(texts, labels, strict=True) if label.strip()]
        found = []
        if dropped := len(texts) - len(kept):
            found.append(Finding("left out", f"{dropped} texts without a label", warning=True))
        names, y = np.unique([label for _, label in kept], return_inverse=True)
        classes, y = tuple(map(str, names)), y.astype("int32")
        if len(classes) < 2:
            raise RecipeError(
                f"{name} must have two classes at least. Received: {listed(map(repr, classes))}. "
                "Name the column of classes: --label NAME."
            )
        target_columns.check_rows(name, y, classes)
        parts = split(np.arange(len(y)), y, seed)
        return self._data(name, [t for t, _ in kept], parts, classes, found)

    def _data(
        self, name: str, texts, parts: dict[Any, Any], classes: tuple[str, ...], found
    ) -> Data:
        x = np.zeros((len(texts), self.steps, CHARACTERS), "int32")
        long = empty = 0
        for row, text in zip(x, texts, strict=True):
            tokens = words_of(text)
            long, empty = long + (len(tokens) > self.steps), empty + (not tokens)
            write_code_points(row, tokens)
        found = [*found, *_repeated(texts, parts)]
        if long:
            found.append(Finding("cut", f"{long} texts of more than {self.steps} tokens (--steps)"))
        if empty:
            found.append(Finding("empty", f"{empty} texts without a word", warning=True))
        return Data(
            name=name,
            task="classification",
            input_name="tokens",
            **{part: (x[places], y) for part, (places, y) in parts.items()},
            classes=classes,
            details=DocumentDetails(self.steps),
            findings=tuple(found),
            requests=np.array([_request(texts[i], self.steps) for i in parts["test"][0]]),
        )


def words_of(text: str) -> list[str]:
    """Return a text's words in lower case, and its punctuation marks.

    >>> words_of("Isn't it?")
    ['isn', "'", 't', 'it', '?']
    """
    return [token.lower() for token in _TOKEN.findall(text)]


def _request(text: str, steps: int) -> str:
    """Return the part of a text that is read; of one with very long words, its tokens."""
    ends = [token.end() for token in _TOKEN.finditer(text)][:steps]
    if not ends or ends[-1] <= LONGEST * steps:
        return text[: ends[-1]] if ends else ""
    return " ".join(token[:CHARACTERS] for token in words_of(text)[:steps])


def _repeated(texts, parts: dict[Any, Any]) -> list[Finding]:
    """Find texts that several parts have."""
    sets = {part: {texts[i] for i in places} for part, (places, _) in parts.items()}
    shared = len(sets["test"] & (sets["train"] | sets["validation"]))
    if not shared:
        return []
    return [Finding("duplicates", f"{shared} texts of the test part are in others", warning=True)]
