import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden


def reference(x, w1, b1, w2, b2):
    """Equations 2 to 4 of Hu et al., one number at a time."""
    batch, height, width, channels = x.shape
    y = np.empty_like(x)
    for n in range(batch):
        z = [sum(x[n, :, :, c].ravel()) / (height * width) for c in range(channels)]
        hidden = [
            max(0.0, b1[j] + sum(z[c] * w1[c, j] for c in range(channels))) for j in range(len(b1))
        ]
        for c in range(channels):
            excitation = b2[c] + sum(hidden[j] * w2[j, c] for j in range(len(b1)))
            y[n, :, :, c] = x[n, :, :, c] / (1 + np.exp(-excitation))
    return y


@pytest.mark.parametrize("ratio", [1, 2, 16])
def test_reference(rng, ratio):
    x = rng.normal(size=(3, 4, 5, 6)).astype("float32")
    layer = layers.SqueezeExcite(ratio=ratio)
    layer.build(x.shape)
    weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, reference(x, *weights), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("timm_squeeze_excite")
    layer = layers.SqueezeExcite(ratio=2)
    layer.build(peer["x"].shape)
    names = ("reduce_kernel", "reduce_bias", "expand_kernel", "expand_bias")
    layer.set_weights([peer[n] for n in names])
    y = ops.convert_to_numpy(layer(peer["x"]))
    np.testing.assert_allclose(y, peer["sigmoid_output"], rtol=1e-5, atol=1e-6)


def test_bottleneck_is_never_empty():
    layer = layers.SqueezeExcite(ratio=16)
    layer.build((None, 4, 4, 3))
    assert layer.weights[0].shape == (3, 1)


def test_unknown_channels_are_named():
    with pytest.raises(ValueError, match=r"axis -1 \(channels\)"):
        layers.SqueezeExcite().build((None, 4, 4, None))
