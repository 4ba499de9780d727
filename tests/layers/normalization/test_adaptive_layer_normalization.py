import keras
import numpy as np
import pytest

from kcatalog import layers
from kcatalog.conformance import backend


def reference(x, c, W, b, epsilon):
    """The adaLN block for one vector at a time: modulate(LN(x), shift, scale)."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        a = c[place] if c.ndim == x.ndim else c[place[0]]
        modulation = (a / (1 + np.exp(-a))) @ W + b
        γ, β = modulation[: x.shape[-1]], modulation[x.shape[-1] :]
        v = x[place]
        normal = (v - np.mean(v)) / np.sqrt(np.mean((v - np.mean(v)) ** 2) + epsilon)
        y[place] = normal * (1 + γ) + β
    return y


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (3, 5, 4), (2, 3, 3, 4)])
def test_reference(rng, shape, tokens):
    x = rng.normal(size=shape).astype("float32")
    c = rng.normal(size=(*(shape[:-1] if tokens else shape[:1]), 6)).astype("float32")
    layer = layers.AdaptiveLayerNormalization(1e-3)
    layer.build(x.shape, c.shape)
    weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    expected = reference(x, c, *weights, 1e-3)
    np.testing.assert_allclose(backend.as_numpy(layer(x, c)), expected, rtol=1e-4, atol=1e-4)


def test_starts_as_layer_normalization(rng):
    x, c = (rng.normal(size=(2, 5, n)).astype("float32") for n in (4, 3))
    plain = keras.layers.LayerNormalization(epsilon=1e-6)
    y = backend.as_numpy(layers.AdaptiveLayerNormalization()(x, c))
    np.testing.assert_allclose(y, backend.as_numpy(plain(x)), rtol=1e-4, atol=1e-5)


def test_a_condition_of_other_axes_is_refused():
    with pytest.raises(ValueError, match="`condition_shape` must be"):
        layers.AdaptiveLayerNormalization().build((None, 5, 6, 4), (None, 5, 3))
