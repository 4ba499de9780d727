import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, compiled
from kcatalog.ops import semi_hard_negatives


def reference(D, labels):
    """The rule as the docstring states it, pair by pair; -1 where there is no triplet."""
    chosen = np.full(D.shape, -1)
    for a in range(len(D)):
        negatives = [n for n in range(len(D)) if labels[n] != labels[a]]
        for p in range(len(D)):
            if p != a and labels[p] == labels[a] and negatives:
                farther = [n for n in negatives if D[a, n] > D[a, p]]
                pick, among = (min, farther) if farther else (max, negatives)
                chosen[a, p] = pick(among, key=lambda n: D[a, n])
    return chosen


@pytest.mark.parametrize("distinct", [3, 1000])
@pytest.mark.parametrize("classes", [1, 2, 7, 30])
def test_reference(rng, classes, distinct):
    D = rng.integers(0, distinct, (20, 20)).astype("float32")
    labels = rng.integers(-classes, classes, 20)
    expected = reference(D, labels)
    function = compiled(semi_hard_negatives)
    chosen = as_numpy(function(ops.convert_to_tensor(D), ops.convert_to_tensor(labels)))
    np.testing.assert_array_equal(np.where(expected < 0, -1, chosen), expected)


def test_float_labels(rng):
    D, labels = rng.uniform(size=(9, 9)).astype("float32"), np.arange(9) % 3
    whole, real = (
        as_numpy(semi_hard_negatives(ops.convert_to_tensor(D), ops.convert_to_tensor(y)))
        for y in (labels, labels.astype("float32"))
    )
    np.testing.assert_array_equal(whole, real)
