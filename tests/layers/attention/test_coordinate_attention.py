import keras
import numpy as np
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import batch_norm, check_against_peer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_reference(rng):
    """Equations 4 to 9 of Hou et al., one pixel at a time."""
    x = rng.normal(size=(2, 4, 5, 6)).astype("float32")
    layer = layers.CoordinateAttention(2, min_units=1, activation="relu", normalization=None)
    layer.build(x.shape)
    weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    y = ops.convert_to_numpy(layer(x))
    w1, b1, w2, b2, w3, b3 = weights
    for n, i, j in np.ndindex(2, 4, 5):
        f, g = (np.maximum(z.mean(0) @ w1 + b1, 0) for z in (x[n, i], x[n, :, j]))
        wanted = x[n, i, j] * sigmoid(f @ w2 + b2) * sigmoid(g @ w3 + b3)
        np.testing.assert_allclose(y[n, i, j], wanted, rtol=1e-4, atol=1e-5)


def test_golden():
    layer = layers.CoordinateAttention(2, min_units=1, normalization=batch_norm(), use_bias=False)
    check_against_peer(layer, "timm_channel_attention", "coordinate", order=(0, 3, 4, 1, 2))


def test_unknown_size(rng):
    x = rng.normal(size=(2, 4, 5, 8)).astype("float32")
    layer = layers.CoordinateAttention(2)
    inputs = keras.Input((None, None, 8))
    model = keras.Model(inputs, layer(inputs))
    wanted = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-6)
