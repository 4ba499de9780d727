import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


def test_reference(rng):
    """Keys and values of every pixel and of the mean, one head after the other."""
    x = rng.normal(size=(2, 3, 2, 4)).astype("float32")
    layer = layers.AttentionPooling2D(num_heads=2, units=3)
    layer.build(x.shape)
    w = {v.name: rng.normal(size=v.shape).astype("float32") for v in layer.weights}
    layer.set_weights(list(w.values()))
    y = ops.convert_to_numpy(layer(x))
    for b in range(2):
        pixels = x[b].reshape(6, 4)
        z = np.stack([pixels.mean(0), *pixels]) + w["positions"]
        wanted = w["bias_output"].copy()
        for n in range(2):
            q = z[0] @ w["kernel_query"][:, n] + w["bias_query"][n]
            e = np.exp(z @ w["kernel_key"][:, n] @ q / np.sqrt(2))
            v = z @ w["kernel_value"][:, n] + w["bias_value"][n]
            wanted += e / e.sum() @ v @ w["kernel_output"][n]
        np.testing.assert_allclose(y[b], wanted, rtol=1e-4, atol=1e-4)


def test_golden():
    """The peer's biases of the keys, its fifth weights, cancel in the softmax."""
    layer = layers.AttentionPooling2D(num_heads=2, units=5)
    order = (0, 1, 2, 3, 5, 6, 7, 8)
    check_against_peer(layer, "timm_attention_pooling", "clip", order=order)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((None, None, 4, 4), r"axis 1 \(height\)"), ((None, 3, 4, 3), "multiple of num_heads=2")],
)
def test_shapes_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        layers.AttentionPooling2D(num_heads=2).build(shape)
