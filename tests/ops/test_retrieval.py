import numpy as np
import pytest

from kcatalog.ops import recall_at_k
from kcatalog.ops.retrieval import k_nearest
from tests.golden.load import golden
from tests.losses.test_triplet_semi_hard import distance


def reference(x, labels, k, name, weights=None):
    """Sort everybody else by distance, strangers first where equal, and look at the first k."""
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


def test_collapse_scores_nothing():
    assert recall_at_k(np.ones((6, 3)), [0, 0, 0, 1, 1, 1]) == 0


def test_nobody_to_find():
    assert recall_at_k(np.eye(3), [1, 2, 3]) == 0


def test_fewer_than_k():
    np.testing.assert_array_equal(k_nearest(np.array([[2.0, 1.0]]), 3)[0, :2], [1.0, 2.0])
