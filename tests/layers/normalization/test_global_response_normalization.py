import numpy as np
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


def test_reference(rng):
    """Equations 1 to 3 of Woo et al., one channel at a time."""
    x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    layer = layers.GlobalResponseNormalization(epsilon=0.1)
    layer.build(x.shape)
    gamma, beta = (rng.normal(size=5).astype("float32") for _ in range(2))
    layer.set_weights([gamma, beta])
    y = ops.convert_to_numpy(layer(x))
    for n in range(2):
        g = [np.sqrt(sum(x[n, :, :, c].ravel() ** 2)) for c in range(5)]
        for c in range(5):
            scale = g[c] / (sum(g) / 5 + 0.1)
            wanted = gamma[c] * x[n, ..., c] * scale + beta[c] + x[n, ..., c]
            np.testing.assert_allclose(y[n, ..., c], wanted, rtol=1e-4, atol=1e-5)


def test_golden():
    check_against_peer(layers.GlobalResponseNormalization(), "timm_channel_attention", "grn")


def test_norms_of_half_precision_do_not_overflow():
    layer = layers.GlobalResponseNormalization(gamma_initializer="ones", dtype="float16")
    y = ops.convert_to_numpy(layer(np.full((1, 8, 8, 2), 300.0, "float16")))
    np.testing.assert_allclose(y, 600.0, rtol=1e-3)
