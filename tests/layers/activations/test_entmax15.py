import numpy as np

from kcatalog import layers
from kcatalog.conformance import backend


def test_reference_layer(rng):
    """Two scores that are d apart give p = t² and 1 - t² with t - √(1 - t²) = d / 2, or 1 and 0."""
    d = np.array([0.0, 0.3, 1.0, 1.9, 2.0, 5.0])
    p = backend.as_numpy(layers.Entmax15()(np.stack([d, 0 * d], axis=1).astype("float32")))
    h = np.minimum(d / 2, 1.0)
    t = (h + np.sqrt(2 - h**2)) / 2
    np.testing.assert_allclose(p, np.stack([t**2, 1 - t**2], axis=1), atol=1e-5)
