import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.backend import as_numpy
from tests.losses.test_triplet_semi_hard import distance


def pairs_of(x, labels, same, name):
    return [
        distance(x[i].astype("float64"), x[j].astype("float64"), name)
        for i in range(len(x))
        for j in range(len(x))
        if i != j and (labels[i] == labels[j]) == same
    ]


@pytest.mark.parametrize("aggregate", ["mean", "min", "max"])
@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_reference(rng, aggregate, name):
    x, labels = rng.normal(size=(14, 4)).astype("float32"), rng.integers(0, 4, 14)
    positive, negative = (pairs_of(x, labels, same, name) for same in (True, False))
    expected = {
        "positive": positive,
        "negative": negative,
        "gap": [n - p for n in negative for p in positive],
    }
    for pairs, distances in expected.items():
        metric = metrics.EmbeddingDistance(pairs, aggregate, name)
        value = float(as_numpy(metric(labels, x)))
        assert value == pytest.approx(getattr(np, aggregate)(distances), rel=1e-5)


def test_batches(rng):
    """The mean is over all pairs, an extreme the mean of each batch's."""
    x, labels = rng.normal(size=(20, 4)).astype("float32"), np.arange(20) % 3
    batches = [slice(0, 14), slice(14, 20), slice(0, 1)]  # the last has no pair
    each = [pairs_of(x[rows], labels[rows], True, "euclidean") for rows in batches]
    expected = {"mean": np.mean(each[0] + each[1]), "max": (max(each[0]) + max(each[1])) / 2}
    for aggregate, value in expected.items():
        metric = metrics.EmbeddingDistance("positive", aggregate, "euclidean")
        for rows in batches:
            metric.update_state(labels[rows], x[rows])
        assert float(as_numpy(metric.result())) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("aggregate", ["mean", "min", "max"])
def test_weight_zero_leaves_out(rng, aggregate):
    x, labels = rng.normal(size=(9, 4)).astype("float32"), np.arange(9) % 2
    weights = np.where(np.arange(9) < 6, 2.0, 0.0)
    some = metrics.EmbeddingDistance("gap", aggregate)(labels, x, sample_weight=weights)
    without = metrics.EmbeddingDistance("gap", aggregate)(labels[:6], x[:6])
    assert float(as_numpy(some)) == pytest.approx(float(as_numpy(without)), rel=1e-5)


@pytest.mark.parametrize("aggregate", ["mean", "min", "max"])
@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 2, 3]])
def test_no_gap_without_both_kinds(rng, aggregate, labels):
    x = rng.normal(size=(3, 4)).astype("float32")
    assert float(as_numpy(metrics.EmbeddingDistance("gap", aggregate)(labels, x))) == 0
