"""Texts with a class each: folders, tables, docstrings, the baseline, and texts in the graph."""

import collections

import numpy as np
import pytest

from kcatalog.recipe.data import Documents, docstrings
from kcatalog.recipe.data.documents import words_of
from kcatalog.recipe.tasks import baselines
from kcatalog.recipe.terminal.errors import RecipeError

TEXTS = {"good": "Well made, and it works!", "bad": "It broke at once; I want\nmy money back."}
TABLE = "".join(
    f'{i},"{text.replace(chr(10), " ")} {i}",{label}\n'
    for i in range(20)
    for label, text in TEXTS.items()
)


def written(tmp_path, text, name="some.csv"):
    file = tmp_path / name
    file.write_bytes(text.encode())
    return file


def read_back(codes):
    """Return a text's words from their code points."""
    return ["".join(map(chr, word[word > 0])) for word in codes if word[0]]


def test_a_folder_per_class(tmp_path):
    """Words become code points; further ones are cut; requests hold no more."""
    for label, text in TEXTS.items():
        for i in range(10):
            (tmp_path / label).mkdir(exist_ok=True)
            written(tmp_path / label, text, f"{i}.txt")
    data = Documents(steps=6).load(tmp_path)
    assert data.classes == ("bad", "good")
    assert (data.task, data.input_shape) == ("classification", (6, 16))
    assert [len(part[1]) for part in (data.train, data.validation, data.test)] == [14, 2, 4]
    (x, y), wanted = data.test, {1: "Well made, and it works", 0: "It broke at once; I"}
    assert [read_back(codes) for codes in x] == [words_of(wanted[label]) for label in y]
    assert data.requests.tolist() == [wanted[label] for label in y]
    assert [f.text for f in data.findings if f.about == "cut"] == [
        "20 texts of more than 6 tokens (--steps)"
    ]
    assert [f.about for f in data.findings if f.warning] == ["duplicates"]
    assert Documents().read([tmp_path / "good" / "0.txt"], data.info) == [TEXTS["good"]]


@pytest.mark.parametrize(
    ("header", "how"),
    [
        ("id,text,label\n", {}),
        ("id,review,label\n", {}),
        ("id,review,stars\n", {"label": "stars"}),
        ("text,review,stars\n", {"text": "review", "label": "stars"}),
    ],
    ids=["by name", "longest cells", "label", "both"],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_table(header, how, ends, tmp_path):
    text = (header + TABLE + "40,without a label,\n").replace("\n", ends)
    data = Documents(**how).load(written(tmp_path, text))
    assert data.classes == ("bad", "good")
    begins = {label: read_back(x)[:3] for x, label in zip(*data.test, strict=True)}
    assert begins == {0: ["it", "broke", "at"], 1: ["well", "made", ","]}
    assert "1 texts without a label" in [f.text for f in data.findings]


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("", {}, "must have a text and a label in each row"),
        ("text,label\na,b,c\n", {}, r"Received: 3 cells in row 1, 2 names \(text, label\)"),
        ("id,text,kind\n1,some words,x\n", {}, "must have a column of classes.*--label NAME"),
        ("text,label\na,b\n", {"label": "stars"}, "--label must be a column of .*'stars'"),
        ("text,label\na,b\nc,b\n", {}, "must have two classes at least. Received: 'b'"),
        ("text,label\na,b\nc,d\n", {}, "Each class of some.csv must have at least 3 rows"),
    ],
)
def test_bad_tables_are_refused(text, how, message, tmp_path):
    with pytest.raises(RecipeError, match=message):
        Documents(**how).load(written(tmp_path, text))


@pytest.mark.slow
def test_each_docstring_stands_in_one_chapter():
    found = docstrings.labelled()
    assert len({text for text, _ in found}) == len(found) > 3000
    counts = collections.Counter(chapter for _, chapter in found)
    assert counts.keys() == docstrings.CHAPTERS.keys()
    assert min(counts.values()) > 150
    assert all(len(text.split()) >= docstrings.SHORTEST for text, _ in found)


@pytest.mark.tensorflow
def test_texts_are_read_in_the_graph_as_in_training(tmp_path):
    import tensorflow as tf

    texts = [
        "Isn't IT snake_case?\tYes\r\nno...",
        "Größe ΣΊΣΥΦΟΣ 日本語のテキスト ñandú",
        f"{'very' * 10} {'x' * 5000} end",
        "\x0bodd\x0cspace \xa0non-breaking",
    ]
    rows = "".join(f'"{text} {i}",{"ab"[i // 4 % 2]}\n' for i, text in enumerate(10 * texts))
    data = Documents(steps=12).load(written(tmp_path, f"text,label\n{rows}"))
    raw = tf.TensorSpec((None, *data.input_shape), tf.int32, name="tokens")
    spec, read = data.details.entry(raw)
    assert spec.dtype == tf.string
    np.testing.assert_array_equal(read(tf.constant(data.requests)), data.test[0])
    found = [read_back(codes) for codes in read(tf.constant(texts)).numpy()]
    assert found == [[word[:16] for word in words_of(text)[:12]] for text in texts]
    assert not read(tf.constant([""])).numpy().any()


def test_words_tell_texts_apart(tmp_path):
    data = Documents().load(written(tmp_path, f"id,text,label\n{TABLE}"))
    name, score = baselines.word_frequencies(data)
    assert (name, score) == ("logistic regression on TF-IDF", 1.0)
