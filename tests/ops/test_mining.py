import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, compiled
from kcatalog.ops import all_triplets, mining, semi_hard_triplets, triplet_sums


def triplets(D, labels, a):
    """Every (positive, negatives) of an anchor."""
    negatives = [n for n in range(D.shape[1]) if labels[n] != labels[a]]
    for p in range(D.shape[1]):
        if p != a and labels[p] == labels[a] and negatives:
            yield p, negatives


def count_all(D, labels, margin):
    counts = np.zeros(D.shape)
    for a in range(len(D)):
        for p, negatives in triplets(D, labels, a):
            for n in negatives:
                if D[a, n] < D[a, p] + margin:
                    counts[a, p] += 1
                    counts[a, n] -= 1
    return counts


def count_semi_hard(D, labels, margin):
    counts = np.zeros(D.shape)
    for a in range(len(D)):
        for p, negatives in triplets(D, labels, a):
            farther = [n for n in negatives if D[a, n] > D[a, p]]
            d_n = min(D[a, n] for n in farther) if farther else max(D[a, n] for n in negatives)
            ties = [n for n in negatives if D[a, n] == d_n]
            if d_n < D[a, p] + margin:
                counts[a, p] += 1
                counts[a, ties] -= 1 / len(ties)
    return counts


RULES = {"all": (all_triplets, count_all), "semi_hard": (semi_hard_triplets, count_semi_hard)}


@pytest.mark.slow
@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("distinct", [3, 1000])
@pytest.mark.parametrize("classes", [1, 2, 7, 30])
def test_reference(rng, classes, distinct, rule):
    D = rng.integers(0, distinct, (20, 20)).astype("float32")
    labels = rng.integers(-classes, classes, 20)
    function, reference = RULES[rule]
    margin = distinct / 4
    for anchors in (20, 5):  # all samples are anchors, or the first of them
        counts = compiled(lambda D, y: function(D, y, margin))(
            ops.convert_to_tensor(D[:anchors]), ops.convert_to_tensor(labels)
        )
        expected = reference(D[:anchors], labels, margin)
        np.testing.assert_allclose(as_numpy(counts), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("distinct", [5, 10**6])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_many_positives_at_a_time(rng, rule, distinct, classes, monkeypatch):
    """Large classes are sorted: blocks of anchors, the last overlapping, passes, ties and all."""
    D = rng.integers(0, distinct, (37, 50)).astype("float32")
    labels = rng.integers(0, classes, 50)
    function, reference = RULES[rule]
    for name, value in {"SMALL": 0, "FEW": 0, "BLOCK": 16}.items():
        monkeypatch.setattr(mining, name, value)
    margin = distinct / 4
    counts = compiled(lambda D, y: function(D, y, margin))(
        ops.convert_to_tensor(D), ops.convert_to_tensor(labels)
    )
    expected = reference(D, labels, margin)
    np.testing.assert_allclose(as_numpy(counts), expected, rtol=1e-5, atol=1e-5)


def test_sums_are_those_of_the_triplets(rng):
    D, labels = rng.uniform(size=(9, 9)).astype("float32"), np.arange(9) % 3
    counts = all_triplets(ops.convert_to_tensor(D), ops.convert_to_tensor(labels), 0.3)
    sums, triplets_counted = triplet_sums(ops.convert_to_tensor(D), counts, 0.3)
    each = [
        [max(0.0, 0.3 + D[a, p] - D[a, n]) for p, ns in triplets(D, labels, a) for n in ns]
        for a in range(9)
    ]
    np.testing.assert_allclose(as_numpy(sums), [sum(e) for e in each], rtol=1e-5)
    np.testing.assert_allclose(as_numpy(triplets_counted), [sum(np.array(e) > 0) for e in each])


def test_float_labels(rng):
    D, labels = rng.uniform(size=(9, 9)).astype("float32"), np.arange(9) % 3
    whole, real = (
        as_numpy(semi_hard_triplets(ops.convert_to_tensor(D), ops.convert_to_tensor(y), 0.5))
        for y in (labels, labels.astype("float32"))
    )
    np.testing.assert_array_equal(whole, real)
