import numpy as np
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import convolve
from tests.layers.convolution.peers import batch_norm, check_against_peer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_reference(rng):
    """Equations 1 to 3 of Woo et al."""
    x = rng.normal(size=(2, 4, 5, 6)).astype("float32")
    layer = layers.CBAM(ratio=2, kernel_size=3)
    y = ops.convert_to_numpy(layer(x))
    w1, w2, w = map(ops.convert_to_numpy, layer.weights)
    for n in range(2):
        planes = [x[n, :, :, c] for c in range(6)]
        scores = [np.maximum([f(p) for p in planes] @ w1, 0) @ w2 for f in (np.mean, np.max)]
        scaled = x[n] * sigmoid(sum(scores))
        maps = np.stack([scaled.mean(-1), scaled.max(-1)], axis=-1)
        gates = sigmoid(convolve(maps[None], w, padding="same"))[0]
        np.testing.assert_allclose(y[n], scaled * gates, rtol=1e-4, atol=1e-5)


def test_golden():
    """Batch normalization of the map, as in the authors' code."""
    layer = layers.CBAM(ratio=4, kernel_size=3, normalization=batch_norm())
    check_against_peer(layer, "timm_channel_attention", "cbam")
