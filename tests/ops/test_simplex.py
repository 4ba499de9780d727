import numpy as np
from keras import ops

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.simplex import simplex_projection


def reference(row, radius):
    """The threshold found by halving: the sum of what is above it falls as it rises."""
    low, high = min(row) - radius, max(row)
    for _ in range(200):
        middle = (low + high) / 2
        over = sum(max(0.0, v - middle) for v in row) > radius
        low, high = (middle, high) if over else (low, middle)
    return [max(0.0, v - high) for v in row]


def test_reference(rng):
    w = np.concatenate([rng.normal(size=(5, 6)), 100 * rng.normal(size=(3, 6)), np.zeros((1, 6))])
    for radius in (1.0, 2.5):
        found = as_numpy(simplex_projection(ops.convert_to_tensor(w.astype("float32")), radius))
        np.testing.assert_allclose(found, [reference(row, radius) for row in w], atol=1e-5)


def test_a_class_that_is_ruled_out():
    found = as_numpy(simplex_projection(ops.convert_to_tensor([[-np.inf, 0.5, 1.0]])))
    np.testing.assert_allclose(found, [[0, 0.25, 0.75]])
