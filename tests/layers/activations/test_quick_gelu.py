import math

import numpy as np

from kcatalog import layers
from kcatalog.conformance import backend


def test_reference(rng):
    x = 3 * rng.normal(size=(40, 3)).astype("float32")
    y = backend.as_numpy(layers.QuickGELU()(x))
    expected = [[v / (1 + math.exp(-1.702 * v)) for v in row] for row in x]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_it_is_within_two_hundredths_of_gelu():
    """The distance that the docstring states, x Φ(x) beside it."""
    x = np.linspace(-6, 6, 2001)
    gelu = np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
    y = backend.as_numpy(layers.QuickGELU()(x[None].astype("float32")))[0]
    assert 0.0195 < np.abs(y - gelu).max() < 0.0205
