import numpy as np
from keras import ops

from kcatalog import layers


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def reference(x, W, b, alpha=1.0):
    """As many units as features."""
    units, out = x.shape[-1], np.zeros(x.shape)
    for n in range(len(x)):
        c = np.zeros(units)
        for t in range(x.shape[1]):
            for k in range(units):
                new, f, r = (
                    sum(x[n, t, j] * W[j, gate * units + k] for j in range(units))
                    for gate in range(3)
                )
                f, r = sigmoid(f + b[k]), sigmoid(r + b[units + k])
                c[k] = f * c[k] + (1 - f) * new
                out[n, t, k] = r * np.tanh(c[k]) + (1 - r) * alpha * x[n, t, k]
    return out


def test_reference(rng):
    layer = layers.SRU(3, activation="tanh", return_sequences=True)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer.build(x.shape)
    W, b = rng.normal(size=(3, 9)), rng.normal(size=6)
    layer.set_weights([W, b])
    expected = reference(x, W, b)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def test_rescaling_keeps_the_variance_in_a_deep_stack(rng):
    """Lei et al., section 3.2: without it the input fades from layer to layer."""
    x = y = z = rng.normal(size=(50, 20, 64)).astype("float32")
    for _ in range(6):
        y = layers.SRU(64, highway_bias=-3.0, rescale=True, return_sequences=True)(y)
        z = layers.SRU(64, highway_bias=-3.0, return_sequences=True)(z)
    kept, faded = (ops.convert_to_numpy(v).var() / x.var() for v in (y, z))
    assert 0.7 < kept < 1.4
    assert faded < 0.8


def test_no_bias(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer = layers.SRU(3, activation="tanh", use_bias=False, return_sequences=True)
    layer.build(x.shape)
    (W,) = layer.get_weights()
    expected = reference(x, W, np.zeros(6))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)
