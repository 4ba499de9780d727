"""Tagging: files in columns, the corpus, the score, the baseline, and sentences in the graph."""

import contextlib

import keras
import numpy as np
import pytest

from kcatalog.recipe.data import Tagged
from kcatalog.recipe.data.tagged import documents_of, python_sentences
from kcatalog.recipe.export.signatures import Served
from kcatalog.recipe.tasks import Tagging, baselines
from kcatalog.recipe.terminal.errors import RecipeError

FOUR = """# a comment
-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
# NN I-NP O
German JJ I-NP I-MISC
boy NN I-NP B-MISC

He PRP I-NP O
"""


def written(tmp_path, text):
    file = tmp_path / "some.conll"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_in_columns(ends, tmp_path):
    """IOB1 becomes BIO; comments and documents' marks are no tokens, but a # may be one."""
    found = documents_of(written(tmp_path, FOUR.replace("\n", ends)))
    first = [("EU", "B-ORG"), ("#", "O"), ("German", "B-MISC"), ("boy", "B-MISC")]
    assert found == [[first, [("He", "O")]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a O\nb X O\n", "line 2: a row must have 2 columns"),
        ("a\n", "line 1: a row must have a token and a tag"),
        ("\na B-X\nb X\n", "line 3: a tag must be O, or B-"),
        ("a O\n\n" * 20, "must have tags other than O"),
        ("a B-X\n", "must have at least 10 sentences"),
    ],
)
def test_bad_rows_are_named(text, message, tmp_path):
    with pytest.raises(RecipeError, match=message):
        Tagged().from_path(written(tmp_path, text), seed=0)


def test_python_is_tagged_by_its_syntax_tree():
    (line,) = python_sentences("@a.b\ndef f(x, *y):  # no\n    pass\n")[1:2]
    assert line == [
        *[("def", "O"), ("f", "B-FUNCTION"), ("(", "O"), ("x", "B-PARAMETER"), (",", "O")],
        *[("*", "O"), ("y", "B-PARAMETER"), (")", "O"), (":", "O")],
    ]
    (line,) = python_sentences("os.path.join(f, key='a b')")
    assert [tag for _, tag in line] == [
        *["B-CALL", *["I-CALL"] * 4, "O", "O", "O", "B-KEYWORD", "O", "O", "O"]
    ]
    assert ('"..."', "O") in line
    assert python_sentences("def :") == []


def corpus(tmp_path, count=60):
    """Names after "of" are places, others are not."""
    sentences = ["the\tO\nKing\tO\nof\tO\nNew\tB-PLACE\nYork\tI-PLACE\n", "the\tO\nKing\tO\n"]
    return Tagged(steps=4).from_path(written(tmp_path, "\n".join(sentences * count)), seed=0)


def test_sentences_become_code_points(tmp_path):
    """Long ones are cut; parts share no sentence's place; requests are the sentences as text."""
    data = corpus(tmp_path)
    assert data.classes == ("O", "B-PLACE", "I-PLACE")
    x, y = data.test
    assert sum(len(part[0]) for part in (data.train, data.validation, data.test)) == 180
    assert "".join(map(chr, x[0, 0][x[0, 0] > 0])) == data.requests[0].split()[0]
    assert x.shape[1:] == (4, 16)
    assert y.max() == 2


def test_score_and_baselines(tmp_path):
    data = corpus(tmp_path)
    x, y = data.test
    path = np.eye(3)[y] * (x[..., :1] > 0)
    assert Tagging().score(y, path) == 1.0
    assert baselines.tag_windows(data)[1] > 0.9
    further = Tagging().further(data, path)
    assert further["accuracy of tags"] == 1.0


@pytest.mark.tensorflow
def test_sentences_in_the_graph_are_the_code_points_of_the_corpus(tmp_path):
    """Sentences may have any length, also none, and any script; tags come out as names."""
    data = corpus(tmp_path)
    codes = keras.Input((None, 16), dtype="int32")
    real = keras.ops.any(codes > 0, axis=-1)
    first = keras.ops.cast(keras.ops.one_hot(codes[..., 0] % 2, 3), "float32")
    model = keras.Model(codes, first * keras.ops.cast(real, "float32")[..., None])
    served = Served(model, Tagging(), data.info, contextlib.nullcontext, None, None)
    function, _ = Tagging().signatures(served, data.info)["serving_default"]
    np.testing.assert_array_equal(
        function(data.requests)["tags"],
        keras.ops.argmax(model(data.test[0]), axis=-1),
    )
    answer = function(np.array(["a bb  ç\tdd e", ""]))
    labels = answer["labels"].numpy()
    assert labels[0].decode().split() == [data.classes[k] for k in (1, 0, 1, 0, 1)]
    assert labels[1] == b""
    assert Tagging().describe({"labels": labels[0]}, data.info)["tags"][0] == "B-PLACE"
