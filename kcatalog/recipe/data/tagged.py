"""Tokens with a tag each: the standard library's own source, or files in CoNLL's columns."""

from __future__ import annotations

import ast
import io
import itertools
import re
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import TEST_SEED, Data, Source
from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.data.text import unix
from kcatalog.recipe.terminal.errors import RecipeError

CHARACTERS = 16  # of a token; further ones are cut off
FILES, LONGEST = 50, 60_000  # of the standard library; characters of a file
_TAG = re.compile(r"(O|[BIES]-\S+)")
_SPACE = re.compile(r"[ \t]+")

Sentence = list[tuple[str, str]]  # tokens with their tags


@dataclass(frozen=True)
class TaggedDetails(Details):
    """The sizes of training: most tokens of a sentence, and characters of a token."""

    steps: int = 48
    characters: int = CHARACTERS

    def entry(self, raw: Any):
        """Return what requests have in place of code points: sentences, tokens between spaces."""
        import tensorflow as tf

        def read(sentences):
            tokens = tf.strings.split(sentences)
            codes = tf.strings.unicode_decode(tokens.values, "UTF-8", replacement_char=0xFFFD)
            codes = codes.to_tensor(shape=(None, self.characters))
            codes = tokens.with_values(codes).to_tensor()
            codes = tf.reshape(codes, (tf.size(sentences), -1, self.characters))
            short = tf.maximum(self.steps - tf.shape(codes)[1], 0)
            return tf.cast(tf.pad(codes, [[0, 0], [0, short], [0, 0]]), raw.dtype)

        return tf.TensorSpec([None], tf.string, name="text"), read


@with_options
class Tagged(Source):
    """Sentences of tokens, as code points, with a BIO tag for each token.

    A file has a token and its tag in the first and the last column of each line, and an empty line
    after each sentence. IOB1 and BIOES become BIO; a tag without prefix is a span of one token.
    Longer sentences are cut into several.
    """

    wanted = "a text file with a token and its tag in each line (CoNLL)"
    Details = TaggedDetails

    default: str = "python"
    steps: int = option(48, "Most tokens of a sentence in training.", min=2)

    def sets(self):
        return {"python": self._python}

    def from_path(self, path: Path, seed: int) -> Data:
        documents = documents_of(path)
        if sum(map(len, documents)) < 10:
            raise RecipeError(f"{path} must have at least 10 sentences, with empty lines between.")
        if len(documents) < 10:  # too few to hold out whole ones
            documents = [[sentence] for document in documents for sentence in document]
        return self._data(path.name, documents, seed)

    def read(self, paths: list[Path], info: DataInfo) -> list[str]:
        """Read the sentences of text files, one a line, tokens between spaces."""
        found = [line for path in paths for line in _lines(path)]
        if not found:
            raise RecipeError(f"{paths[0]} must hold a sentence a line. Received: an empty file.")
        return found

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        return [{"tokens": line.split()} for path in paths for line in _lines(path)]

    def _python(self, seed: int) -> Data:
        """Load the standard library's modules, a file's lines together in one part."""
        texts = map(read_text, sorted(Path(ast.__file__).parent.glob("*.py")))
        short = (text for text in texts if len(text) <= LONGEST and text.isascii())
        documents = map(python_sentences, itertools.islice(short, FILES))
        return self._data("python", [lines for lines in documents if lines], seed)

    def _data(self, name: str, documents: list[list[Sentence]], seed: int) -> Data:
        kinds = {t[2:] for d in documents for s in d for _, t in s if t != "O"}
        if not kinds:
            raise RecipeError(f"{name} must have tags other than O to learn from.")
        classes = ("O", *(f"{prefix}-{kind}" for kind in sorted(kinds) for prefix in "BI"))
        order = np.random.default_rng(TEST_SEED).permutation(len(documents))
        held = max(1, round(len(order) / 5))
        rest = np.random.default_rng(seed).permutation(order[held:])
        validated = max(1, round(len(rest) / 10))
        places = {"test": order[:held], "validation": rest[:validated], "train": rest[validated:]}
        parts = {
            part: [s for place in sorted(at) for s in documents[place]]
            for part, at in places.items()
        }
        sizes = [len(s) for sentences in parts.values() for s in sentences]
        found = [Finding("tokens", f"{sum(sizes):,} in {len(sizes):,} sentences")]
        if cut := sum(size > self.steps for size in sizes):
            found.append(Finding("cut", f"{cut} sentences of more than {self.steps} tokens"))
        parts = {
            part: [s[i : i + self.steps] for s in sentences for i in range(0, len(s), self.steps)]
            for part, sentences in parts.items()
        }
        return Data(
            name=name,
            task="tagging",
            input_name="tokens",
            **{part: self._arrays(sentences, classes) for part, sentences in parts.items()},
            classes=classes,
            details=TaggedDetails(self.steps),
            findings=tuple(found),
            requests=np.array([" ".join(token for token, _ in s) for s in parts["test"]]),
        )

    def _arrays(self, sentences: list[Sentence], classes: tuple[str, ...]):
        x = np.zeros((len(sentences), self.steps, CHARACTERS), "int32")
        y = np.zeros((len(sentences), self.steps), "int32")
        for i, sentence in enumerate(sentences):
            write_code_points(x[i], [token for token, _ in sentence])
            y[i, : len(sentence)] = [classes.index(tag) for _, tag in sentence]
        return x, y


def write_code_points(row: np.ndarray, tokens: list[str]) -> None:
    """Write the first characters of each token into a row of zeros, (steps, characters)."""
    for place, token in zip(row, tokens, strict=False):  # further tokens have no place
        codes = [ord(c) for c in token[: len(place)]]
        place[: len(codes)] = codes


def _lines(path: Path) -> list[str]:
    return [line for line in unix(read_text(Path(path))).split("\n") if line.strip()]


# --- CoNLL --------------------------------------------------------------------------------


def documents_of(path: Path) -> list[list[Sentence]]:
    """Return the documents of a file in columns, one if no `-DOCSTART-` tells them apart."""
    if not path.is_file():
        raise RecipeError(f"--data must be a file. Received: the folder {path}.")
    documents: list[list[Sentence]] = [[]]
    sentence, columns = [], None
    for number, line in enumerate([*unix(read_text(path)).split("\n"), ""], start=1):
        cells = _SPACE.split(line.strip())
        if cells == [""] or cells[0] == "-DOCSTART-":
            if sentence:
                documents[-1].append(sentence)
            sentence = []
            if cells[0] == "-DOCSTART-" and documents[-1]:
                documents.append([])
            continue
        if cells[0].startswith("#") and (len(cells) != columns or not _TAG.fullmatch(cells[-1])):
            continue  # a comment
        columns = columns or len(cells)
        if len(cells) != columns or columns < 2:
            wanted = "a token and a tag" if columns < 2 else f"{columns} columns, as before"
            raise RecipeError(
                f"{path}, line {number}: a row must have {wanted}. Received: {line.strip()!r}. "
                "Correct the row."
            )
        sentence.append((cells[0], cells[-1], number))
    return [[_bio(path, s) for s in document] for document in documents if document]


def _bio(path: Path, rows: list[tuple[str, str, int]]) -> Sentence:
    from kcatalog.ops.spans import to_bio  # imports Keras, which `--help` does without

    tokens, tags, numbers = zip(*rows, strict=True)
    if any(tag[:2] in ("B-", "I-", "E-", "S-") for tag in tags):
        for tag, number in zip(tags, numbers, strict=True):
            if not _TAG.fullmatch(tag):
                raise RecipeError(
                    f"{path}, line {number}: a tag must be O, or B-, I-, E- or S- and a kind, as "
                    f"others in the sentence are. Received: {tag!r}. Correct the tag."
                )
    return list(zip(tokens, to_bio(tags), strict=True))


# --- Python -------------------------------------------------------------------------------


def python_sentences(source: str) -> list[Sentence]:
    """Return the logical lines of a Python file as tokens, with tags by the compiler's syntax tree.

    The spans are names of modules, functions, classes and parameters, base classes, arguments given
    by name, called functions and caught exceptions. Texts become `"..."`.

    >>> python_sentences("import os.path as p")
    [[('import', 'O'), ('os', 'B-MODULE'), ('.', 'I-MODULE'), ('path', 'I-MODULE'), ...]]
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError:
        return []
    spans = _spans(tree)
    lines, line, kind, end, before = [], [], "", (0, 0), ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if line:
                lines.append(line)
            line, before = [], ""
            continue
        text = token.string
        if not text.strip() or token.type == tokenize.COMMENT:
            continue
        inside = token.start < end
        if token.start in spans and not inside:
            kind, end = spans[token.start]
            tag = f"B-{kind}"
        elif inside:
            tag = f"I-{kind}"
        else:
            tag = {"def": "B-FUNCTION", "class": "B-CLASS"}.get(before, "O")
        line.append(('"..."' if token.type == tokenize.STRING else text, tag))
        before = text
    return lines


def _spans(tree: ast.AST) -> dict[Any, Any]:
    """Return by the place of its first character the kind and the end of each span."""
    found = {}

    def add(node, kind, end=None):
        end = end or (node.end_lineno, node.end_col_offset)
        found.setdefault((node.lineno, node.col_offset), (kind, end))

    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            kind = "MODULE" if isinstance(node, ast.Import) else "IMPORTED"
            for alias in node.names:
                add(alias, kind, (alias.lineno, alias.col_offset + len(alias.name)))
        elif isinstance(node, ast.arg):
            add(node, "PARAMETER", (node.lineno, node.col_offset + len(node.arg)))
        elif isinstance(node, ast.keyword) and node.arg:
            add(node, "KEYWORD", (node.lineno, node.col_offset + len(node.arg)))
        elif isinstance(node, ast.ClassDef):
            for base in filter(_is_path, node.bases):
                add(base, "BASE")
        elif isinstance(node, ast.ExceptHandler) and node.type:
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            for each in filter(_is_path, caught):
                add(each, "EXCEPTION")
        elif isinstance(node, ast.Call) and _is_path(node.func):
            add(node.func, "CALL")
    return found


def _is_path(node: ast.AST) -> bool:
    """Return whether an expression is a name, or names with dots between."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
