"""Baselines: plain models whose scores can be checked by hand or by loops."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from kcatalog.recipe.data import Data, Text
from kcatalog.recipe.data.files import Files, Shelf, draw, take
from kcatalog.recipe.tasks import Embedding, baselines, features


def blobs(shape=(2,), n=60):
    """Two classes, far apart along every axis."""
    rng, y = np.random.default_rng(0), np.arange(n, dtype="int32") % 2
    x = (rng.normal(size=(n, *shape)) + 8 * y.reshape(-1, *[1] * len(shape))).astype("float32")
    parts = [(x[part], y[part]) for part in (slice(0, 30), slice(30, 40), slice(40, n))]
    return Data("blobs", "classification", "image", *parts, ("a", "b"))


@pytest.mark.parametrize("name", ["support_vectors", "nearest_neighbour", "logistic_regression"])
def test_classifiers_tell_blobs_apart(name):
    assert getattr(baselines, name)(blobs(shape=(4, 4, 1)))[1] == 1.0


def test_the_best_of_several_names_the_others():
    scores = {"low": 0.25, "high": 0.75}
    several = [lambda data, found=(name, score): found for name, score in scores.items()]
    assert baselines.best(*several)(blobs()) == ("high; low 0.2500", 0.75)
    numbers = dataclasses.replace(blobs(), task="regression")
    assert baselines.best(*several)(numbers) == ("low; high 0.7500", 0.25)


def test_nearest_neighbour_agrees_with_loops():
    data = blobs()
    noisy = data.test[0] + np.random.default_rng(1).normal(size=data.test[0].shape) * 6
    data = dataclasses.replace(data, test=(noisy, data.test[1]))
    x = np.concatenate([data.train[0], data.validation[0]]).astype("float64")
    y = np.concatenate([data.train[1], data.validation[1]])
    right = 0
    for sample, label in zip(*data.test, strict=True):
        distances = [sum(((sample - other) / x.std(axis=0)) ** 2) for other in x]
        right += y[int(np.argmin(distances))] == label
    assert 0 < right < len(data.test[1])
    assert baselines.nearest_neighbour(data)[1] == right / len(data.test[1])


def test_many_samples_are_sampled_and_the_name_says_so(monkeypatch):
    monkeypatch.setattr(features, "MOST_SAMPLES", 10)
    name, score = baselines.logistic_regression(blobs())
    assert "on 10 training samples" in name
    assert score == 1.0


@pytest.fixture
def on_disk(tmp_path):
    """The blobs in files; and which ones have been decoded."""
    x, y = (np.concatenate(a) for a in zip(*_parts(blobs()), strict=True))
    paths, decoded = [tmp_path / f"{i}" for i in range(len(x))], []
    for path in paths:
        path.touch()

    def read(path):
        decoded.append(int(path.name))
        return x[decoded[-1]]

    files = Files(Shelf(paths, read, (2,), "float32", {}))
    places = np.split(np.arange(len(x)), [30, 40])
    parts = [(take(files, p), y[p]) for p in places]
    return Data("blobs", "embedding", "image", *parts, ("a", "b")), decoded


def _parts(data):
    return data.train, data.validation, data.test


def test_features_of_as_many_samples_are_taken_as_are_asked_for(on_disk, monkeypatch):
    monkeypatch.setattr(features, "MOST_SAMPLES", 12)
    data, decoded = on_disk
    places = draw(20, 12)
    found = features.scaled_features(data, places)
    known = draw(40, 12)
    assert sorted(decoded) == sorted([*known, *(40 + places)])
    x = np.concatenate([part[0] for part in _parts(blobs())])
    expected = (x[40 + places] - x[known].mean(axis=0)) / x[known].std(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_embeddings_and_features_find_the_same_samples(on_disk, monkeypatch):
    data, _ = on_disk
    outputs = data.test[0][:] - 4  # one class on each side of zero
    monkeypatch.setattr(features, "MOST_SAMPLES", 12)
    found = Embedding().further(data, outputs)
    assert found == {
        "recall@1 among 12": 1.0,
        "MAP@R among 12": 1.0,
        "recall@1 among 12, raw features": 1.0,
        "MAP@R among 12, raw features": 1.0,
    }


def test_waveforms_are_told_apart_by_their_spectrum():
    rng, y = np.random.default_rng(0), np.arange(30, dtype="int32") % 2
    time = np.arange(4000)
    x = np.sin(time * np.where(y, 0.3, 0.9)[:, None] + rng.uniform(0, 6, (30, 1)))
    parts = [(x[part], y[part]) for part in (slice(0, 10), slice(10, 14), slice(14, 30))]
    data = Data("tones", "classification", "waveform", *parts, ("low", "high"))
    assert baselines.logistic_regression(data)[1] == 1.0


def n_gram_by_loops(learned, test, classes, context):
    """Bits per character, every probability counted afresh from the learned text."""

    def p(history, character):
        if history is None:
            return 1 / classes
        n = len(history)
        seen = [learned[i] for i in range(n, len(learned)) if learned[i - n : i] == history]
        shorter = p(history[1:] if n else None, character)
        if not seen:
            return shorter
        T = len(set(seen))
        return (seen.count(character) + T * shorter) / (len(seen) + T)

    bits = [-math.log2(p(test[max(0, i - context) : i], test[i])) for i in range(1, len(test))]
    return sum(bits) / len(bits)


def test_n_gram_agrees_with_loops():
    rng = np.random.default_rng(0)
    words = ["one ", "two ", "three ", "fourteen "]
    text = "".join(words[i] for i in rng.integers(0, 4, 220))
    data = Text(length=16, context=50)._data("words", text)
    labels = [np.ravel(part[1]) for part in (data.train, data.validation, data.test)]
    learned, test = labels[0].tolist() + labels[1].tolist(), labels[2].tolist()
    for context in (0, 1, 3):
        expected = n_gram_by_loops(learned, test, len(data.classes), context)
        assert baselines.n_gram(data, context)[1] == pytest.approx(expected)


def test_n_gram_probabilities_sum_to_one():
    """Those of all ways in which a text may go on, from a context that was seen and further."""
    rng = np.random.default_rng(0)
    text = "".join("abc"[i] for i in rng.choice(3, 400, p=[0.7, 0.2, 0.1]))
    data = Text(length=16, context=50)._data("abc", text)
    total = 0.0
    for rest in itertools.product(range(3), repeat=4):
        said = np.array([[0, *rest]], "int32")
        bits = baselines.n_gram(dataclasses.replace(data, test=(said, said)), context=2)[1]
        total += 2 ** -(4 * bits)
    assert total == pytest.approx(1)
