import numpy as np

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.ordinal import corn_probabilities, corn_ranks
from tests.golden.load import golden


def test_reference_probabilities(rng):
    z = rng.normal(size=(6, 3)).astype("float32")
    expected = []
    for row in z.astype("float64"):
        reached, p = 1.0, []
        for one in 1 / (1 + np.exp(-row)):
            p.append(reached * (1 - one))
            reached *= one
        expected.append([*p, reached])
    np.testing.assert_allclose(as_numpy(corn_probabilities(z)), expected, rtol=1e-4, atol=1e-6)


def test_reference_ranks_are_medians(rng):
    z = 3 * rng.normal(size=(50, 4)).astype("float32")
    p = as_numpy(corn_probabilities(z))
    median = [next(k for k in range(5) if sum(row[: k + 1]) >= 0.5) for row in p]
    np.testing.assert_array_equal(as_numpy(corn_ranks(z)), median)


def test_golden():
    peer = golden("coral_corn")
    np.testing.assert_array_equal(as_numpy(corn_ranks(peer["logits"])), peer["ranks"])
