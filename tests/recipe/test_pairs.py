"""Pairs of texts and their task: files, the split, the baseline, the way to served answers."""

import itertools

import keras
import numpy as np
import pytest

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Pairs
from kcatalog.recipe.data.files import join
from kcatalog.recipe.export import signatures
from kcatalog.recipe.tasks import baselines
from kcatalog.recipe.terminal.errors import RecipeError

PAIRS = [(f"{word} {n}", f"{n}{word[0]}") for n in range(20) for word in ("one", "über")]


def written(folder, text):
    file = folder / "pairs.tsv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return Pairs().from_path(file, seed=0)


def pairs_of(data, part):
    """Return a part's sources and targets as texts."""
    steps, (x, y) = data.details.steps, getattr(data, part)
    sources = ["".join(map(chr, row[row > 0])) for row in x[:, :steps]]
    return list(zip(sources, ["".join(data.classes[i] for i in row) for row in y], strict=True))


def test_every_pair_is_read_and_a_target_is_in_one_part(tmp_path):
    """Also with a byte-order mark, CRLF, blank lines and no end of the last line."""
    text = "\r\n\r\n".join("\t".join(pair) for pair in PAIRS)
    data = written(tmp_path, b"\xef\xbb\xbf" + text.encode())
    parts = [pairs_of(data, part) for part in ("train", "validation", "test")]
    assert sorted(itertools.chain(*parts)) == sorted(PAIRS)
    targets = [{target for _, target in part} for part in parts]
    assert sum(map(len, targets)) == len(set.union(*targets)) == 40
    assert data.requests.tolist() == [source for source, _ in parts[2]]
    steps, (x, y) = data.details.steps, data.train
    assert np.all(x[:, steps] == 0)  # starts, and then the target one step late
    np.testing.assert_array_equal(x[:, steps + 1 :], y[:, :-1])
    assert np.all(y[:, -1] == 0)


def test_the_test_part_does_not_depend_on_the_seed():
    one, other = (Pairs().load(seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(one.test[0], other.test[0])
    assert not np.array_equal(one.validation[0], other.validation[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tb\nc d\n", "line 2 has 1 column"),
        ("a\tb\tc\n", "line 1 has 3 columns"),
        ("\n\na\t \n", "line 3 has an empty cell"),
        ("a\t" + "b" * 201, r"line 1 has 201 characters \(--longest\)"),
        ("x\n" * 9, "and 4 more"),
        ("", "at least 20 different targets.*Received: 0"),
        ("a\tb\n" * 99, "Received: 1. Add pairs"),
        (b"a\t\xff", "must be text in UTF-8"),
    ],
)
def test_refused(tmp_path, text, words):
    with pytest.raises(RecipeError, match=words):
        written(tmp_path, text)


def test_sources_to_predict(tmp_path):
    data = written(tmp_path, "\n".join("\t".join(pair) for pair in PAIRS))
    file = tmp_path / "sources.txt"
    file.write_text("one 3\n\nüber 7\n")
    assert Pairs().read([file], data.info).tolist() == ["one 3", "über 7"]
    file.write_text("one 3\none hundred and three\n")
    with pytest.raises(RecipeError, match=r"Received: 21 in line 2\. Shorten it"):
        Pairs().read([file], data.info)
    file.write_text("\n")
    with pytest.raises(RecipeError, match="Received: none"):
        Pairs().read([file], data.info)


def test_dates_and_their_baseline():
    """A nearest neighbour's date would always be wrong; a classifier for each digit is not."""
    data = Pairs().load()
    known = {target for part in ("train", "validation") for _, target in pairs_of(data, part)}
    asked = pairs_of(data, "test")
    assert len(asked) == 1800
    assert not known & {target for _, target in asked}
    assert all(target[4] == target[7] == "-" for _, target in asked)
    name, score = baselines.character_classifiers(data)
    assert name == "a classifier for each character"
    assert 0.8 < score < 0.95


@pytest.mark.tensorflow
def test_texts_go_in_and_out(tmp_path):
    """A model that answers with its input's first characters, as class indices, is exported."""
    import tensorflow as tf

    data = written(tmp_path, "\n".join("\t".join(pair) for pair in PAIRS))
    pair = keras.Input(data.input_shape, dtype="int32", name="text")
    alphabet = np.array([ord(c) if c else 0 for c in data.classes], "int32")
    length = data.train[1].shape[1]
    found = keras.ops.equal(pair[:, :length, None], alphabet)
    model = keras.Model(pair, keras.ops.cast(found, "float32"))
    task = tasks.of(data)
    signatures.write(model, task, data.info, tmp_path / "saved")
    serve = tf.saved_model.load(tmp_path / "saved").signatures["serving_default"]
    answers = {k: v.numpy() for k, v in serve(text=tf.constant(["0o1", "ß9", ""])).items()}
    rows = [{k: v[i] for k, v in answers.items()} for i in range(3)]
    assert [task.describe(row, data.info) for row in rows] == [
        {"translation": text} for text in ("0o1", "9", "")
    ]
    np.testing.assert_array_equal(task.predicted(task.outputs(answers)), answers["characters"])
    live = task.expected(keras.ops.convert_to_numpy(model(join(data.test[0], data.test[0]))))
    assert live["characters"].shape == (2 * len(data.test[0]), length)
