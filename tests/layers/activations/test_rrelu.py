import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def test_reference_slopes_are_uniform(rng):
    """Section 2.4 of Xu et al.: negative values are scaled by draws between the bounds."""
    x = rng.normal(size=(40, 50)).astype("float32")
    y = backend.as_numpy(layers.RReLU(lower=0.2, upper=0.6, seed=1)(x, training=True))
    np.testing.assert_array_equal(y[x >= 0], x[x >= 0])
    slopes = y[x < 0] / x[x < 0]
    assert 0.2 <= slopes.min() < 0.21
    assert 0.59 < slopes.max() <= 0.6001
    np.testing.assert_allclose(slopes.mean(), 0.4, atol=0.02)
    np.testing.assert_allclose(slopes.std(), 0.4 / np.sqrt(12), atol=0.02)


def test_golden_inference():
    peer = {k[6:]: v for k, v in golden("tfa_activations").items() if k[:5] == "rrelu"}
    layer = layers.RReLU(0.1, 0.4)
    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], rtol=1e-5)
    _, (gradient,) = backend.value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x), peer["cotangent"])), [peer["x"]]
    )
    np.testing.assert_allclose(gradient, peer["x_gradient"], rtol=1e-4, atol=1e-5)


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="RReLU: `upper` must be at least `lower`"):
        layers.RReLU(lower=0.5, upper=0.2)
