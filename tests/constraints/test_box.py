import numpy as np
import pytest

from kcatalog import constraints
from kcatalog.conformance.backend import as_numpy
from tests.golden.load import golden


def reference(w, lower, upper):
    """The nearest number of the interval, one weight at a time."""
    return [lower if x < lower else upper if x > upper else x for x in w]


def test_reference(rng):
    w = rng.normal(size=20).astype("float32")
    actual = as_numpy(constraints.Box(-0.5, 1.0)(w))
    np.testing.assert_allclose(actual, reference(w, -0.5, 1.0))


def test_golden():
    peer = golden("optax_projections")
    np.testing.assert_allclose(as_numpy(constraints.Box(-0.5, 0.75)(peer["x"])), peer["box"])


def test_an_empty_interval_is_refused():
    with pytest.raises(ValueError, match=r"Box: `upper` must be at least lower=1\.0"):
        constraints.Box(1.0, 0.5)
    np.testing.assert_array_equal(as_numpy(constraints.Box(0.5, 0.5)(np.zeros(2, "float32"))), 0.5)
