import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import batch_norm, check_against_peer


@pytest.mark.parametrize("mode", ["embedded_gaussian", "dot_product"])
def test_reference(rng, mode):
    """Equations 1 to 6 of Wang et al., one pixel at a time."""
    x = rng.normal(size=(2, 2, 3, 4)).astype("float32")
    layer = layers.NonLocal(3, mode, normalization=None)
    layer.build(x.shape)
    weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    y = ops.convert_to_numpy(layer(x)).reshape(2, 6, 4)
    for n in range(2):
        pixels = x[n].reshape(6, 4)
        pairs = zip(weights[:6:2], weights[1:6:2], strict=True)
        theta, phi, g = (pixels @ W + b for W, b in pairs)
        for i in range(6):
            a = np.array([theta[i] @ phi[j] for j in range(6)])
            a = np.exp(a) / np.exp(a).sum() if mode == "embedded_gaussian" else a / 6
            h = sum(a[j] * g[j] for j in range(6))
            wanted = pixels[i] + h @ weights[6] + weights[7]
            np.testing.assert_allclose(y[n, i], wanted, rtol=1e-3, atol=1e-3)


def test_golden():
    layer = layers.NonLocal(4, normalization=batch_norm())
    check_against_peer(layer, "timm_channel_attention", "non_local")
