import math

import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops import recall_at_k, retrieval_scores
from kcatalog.ops.neighbours import k_nearest
from kcatalog.ops.retrieval import positive_ranks
from tests.golden.load import golden
from tests.losses.test_triplet_semi_hard import distance


def relevances(x, labels, name, references=None, reference_labels=None):
    """For each query its neighbours from near to far, 1 for a positive, 0 for a negative.

    Of equally far neighbours negatives come first.
    """
    y, y_labels = (x, labels) if references is None else (references, reference_labels)
    for i in range(len(x)):
        others = [j for j in range(len(y)) if references is not None or j != i]
        d = {j: distance(x[i].astype("float64"), y[j].astype("float64"), name) for j in others}
        others.sort(key=lambda j: (round(d[j], 5), y_labels[j] == labels[i]))
        yield [int(y_labels[j] == labels[i]) for j in others]


def scores_of(relevant, k):
    """The scores of one query by their definitions over the list of its neighbours."""
    R = sum(relevant)
    gains = [rel / math.log2(rank + 1) for rank, rel in enumerate(relevant[:k], 1)]
    best = [1 / math.log2(rank + 1) for rank in range(1, min(R, k) + 1)]
    precisions = [sum(relevant[:i]) / i for i in range(1, R + 1)]
    return {
        "recall_at_k": float(any(relevant[:k])),
        "precision_at_k": sum(relevant[:k]) / k,
        "r_precision": sum(relevant[:R]) / R,
        "map_at_r": sum(p * rel for p, rel in zip(precisions, relevant, strict=False)) / R,
        "mean_reciprocal_rank": 1 / (relevant.index(1) + 1),
        "ndcg_at_k": sum(gains) / sum(best),
        "nearest_neighbour_accuracy": float(relevant[0]),
    }


def reference_scores(x, labels, k, name, weights=None, **references):
    """The means over queries with somebody to find."""
    weights = np.ones(len(x)) if weights is None else weights
    lists = list(relevances(x, labels, name, **references))
    searched = [i for i, relevant in enumerate(lists) if any(relevant)]
    each = {i: scores_of(lists[i], k) for i in searched}
    total = sum(weights[i] for i in searched)
    means = {
        score: sum(weights[i] * each[i][score] for i in searched) / total
        for score in each[searched[0]]
    }
    means["nearest_neighbour_accuracy"] *= total / sum(weights)
    return means


def reference(x, labels, k, name, weights=None):
    """Sort everybody else by distance, negatives first where equal, and look at the first k."""
    x, weights = x.astype("float64"), np.ones(len(x)) if weights is None else weights
    found = total = 0.0
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i]
        if not any(labels[j] == labels[i] for j in others):
            continue
        others.sort(key=lambda j: (round(distance(x[i], x[j], name), 5), labels[j] == labels[i]))
        found += weights[i] * any(labels[j] == labels[i] for j in others[:k])
        total += weights[i]
    return found / total if total else 0.0


@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_reference(rng, k, name):
    x, labels = rng.normal(size=(31, 4)).astype("float32"), rng.integers(0, 9, 31)
    expected = reference(x, labels, k, name)
    for chunk in (7, 31, 1024):
        assert recall_at_k(x, labels, k, name, chunk) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "peers"), [("cosine", "cosine"), ("euclidean", "l2")])
def test_golden(name, peers):
    peer = golden("pml_retrieval")
    x, labels = peer["x"], peer["labels"]
    scores = dict(zip(peer["score"], peer[f"self_{peers}_per_sample"], strict=True))
    assert recall_at_k(x, labels, 1, name) == pytest.approx(scores["precision_at_1"])
    searched = [i for i in range(len(x)) if sum(labels == labels[i]) > 1]
    for k in range(1, 11):
        near = labels[peer[f"self_{peers}_neighbours"][:, :k]]
        hits = [np.any(near[i] == labels[i]) for i in searched]
        assert recall_at_k(x, labels, k, name) == pytest.approx(np.mean(hits))


@pytest.mark.parametrize(("k", "name"), [(1, "cosine"), (4, "euclidean"), (50, "cosine")])
def test_reference_of_all_scores(rng, k, name):
    x, labels = rng.normal(size=(32, 4)).astype("float32"), rng.integers(0, 9, 32)
    x[20:24] = x[3:7]  # ties
    expected = reference_scores(x, labels, k, name)
    for chunk in (16, 1024):
        assert retrieval_scores(x, labels, None, None, k, name, chunk) == pytest.approx(expected)


def test_reference_of_all_scores_in_another_set(rng):
    x, labels = rng.normal(size=(13, 4)).astype("float32"), rng.integers(0, 9, 13)
    y, y_labels = rng.normal(size=(20, 4)).astype("float32"), rng.integers(0, 7, 20)
    expected = reference_scores(x, labels, 4, "cosine", references=y, reference_labels=y_labels)
    assert retrieval_scores(x, labels, y, y_labels, 4) == pytest.approx(expected)


@pytest.mark.parametrize("case", ["self", "query"])
@pytest.mark.parametrize(("name", "peers"), [("cosine", "cosine"), ("euclidean", "l2")])
def test_golden_of_all_scores(case, name, peers):
    peer = golden("pml_retrieval")
    values = dict(zip(peer["score"], peer[f"{case}_{peers}_per_sample"], strict=True))
    searched = (peer["x"], peer["labels"])
    if case == "query":
        searched = (peer["query"], peer["query_labels"], *searched)
    scores = retrieval_scores(*searched, distance=name)
    assert scores["recall_at_k"] == pytest.approx(values["precision_at_1"])
    assert scores["precision_at_k"] == pytest.approx(values["precision_at_1"])
    assert scores["ndcg_at_k"] == pytest.approx(values["precision_at_1"])
    assert scores["r_precision"] == pytest.approx(values["r_precision"])
    assert scores["map_at_r"] == pytest.approx(values["mean_average_precision_at_r"])
    assert scores["mean_reciprocal_rank"] == pytest.approx(values["mean_reciprocal_rank"])


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_collapse_scores_nothing(rng, name):
    labels = np.arange(301) % 7
    for x in (np.ones((301, 3)), np.tile(rng.normal(size=(1, 37)), (301, 1)).astype("float32")):
        assert recall_at_k(x, labels, distance=name) == 0
        scores = retrieval_scores(x, labels, k=3, distance=name, chunk=128)
        assert scores.pop("mean_reciprocal_rank") < 0.01  # behind all negatives
        assert not any(scores.values())


def test_nobody_to_find():
    assert recall_at_k(np.eye(3), [1, 2, 3]) == 0
    assert not any(retrieval_scores(np.eye(3), [1, 2, 3]).values())


def test_references_need_labels():
    with pytest.raises(ValueError, match="`reference_labels` must be given"):
        retrieval_scores(np.eye(3), [1, 2, 3], np.eye(3))


def test_ranks_count_negatives_that_are_not_farther(rng):
    positives = np.sort(rng.integers(0, 20, (6, 5)).astype("float32"))
    negatives = np.sort(rng.integers(0, 20, (6, 7)).astype("float32"))
    expected = [
        [j + sum(s <= f for s in there) for j, f in enumerate(row, 1)]
        for row, there in zip(positives, negatives, strict=True)
    ]
    np.testing.assert_array_equal(as_numpy(positive_ranks(positives, negatives)), expected)


def test_fewer_than_k():
    np.testing.assert_array_equal(k_nearest(np.array([[2.0, 1.0]]), 3)[0, :2], [1.0, 2.0])


def test_labels_of_64_bits():
    x, labels = [[0.0], [1.0], [1.1], [5.0]], np.array([5, 2**32 + 5, 5, 2**32 + 5])
    for each in (labels, labels.astype("uint64"), labels.astype("float64"), labels[:, None]):
        assert recall_at_k(x, each, distance="euclidean") == 0
        assert retrieval_scores(x, each, distance="euclidean")["nearest_neighbour_accuracy"] == 0


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_nearly_parallel_embeddings(rng, name):
    """All of a model's embeddings in one direction, but for a spread that tells classes apart."""
    labels = np.arange(64) % 8
    centers = rng.normal(size=(8, 16))
    x = 5 + 3e-4 * (centers[labels] + 0.01 * rng.normal(size=(64, 16)))
    assert recall_at_k(x.astype("float32"), labels, distance=name) == 1


@pytest.mark.parametrize("samples", [13, 64, 301])
@pytest.mark.parametrize("features", [3, 37, 128])
def test_one_direction_scores_nothing(rng, samples, features):
    lengths, direction = rng.uniform(0.1, 9, (samples, 1)), rng.normal(size=(1, features))
    x, labels = (lengths * direction).astype("float32"), np.arange(samples) % 4
    assert recall_at_k(x, labels) == 0


def test_nan_stays_nan():
    x = np.eye(4, dtype="float32")
    x[0, 0] = np.nan
    assert np.isnan(recall_at_k(x, [0, 0, 1, 1]))
    assert all(np.isnan(v) for v in retrieval_scores(x, [0, 0, 1, 1]).values())
    assert all(np.isnan(v) for v in retrieval_scores(x[1:], [0, 1, 1], x, [0, 0, 1, 1]).values())


def test_no_samples():
    assert recall_at_k(np.zeros((0, 2)), []) == 0
    assert not any(retrieval_scores(np.zeros((0, 2)), []).values())


def test_as_many_labels_as_embeddings():
    with pytest.raises(ValueError, match="`labels` must be one label for each of the 3 embeddings"):
        recall_at_k(np.eye(3), [1, 2])
