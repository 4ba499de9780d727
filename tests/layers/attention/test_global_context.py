import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


@pytest.mark.parametrize("fusion", ["add", "multiply"])
def test_reference(rng, fusion):
    """Equation 5 of Cao et al., one image at a time."""
    x = rng.normal(size=(2, 3, 4, 6)).astype("float32")
    layer = layers.GlobalContext(2, fusion)
    layer.build(x.shape)
    weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    named = {w.path.split("/", 1)[1]: a for w, a in zip(layer.weights, weights, strict=True)}
    y = ops.convert_to_numpy(layer(x))
    for n in range(2):
        pixels = x[n].reshape(12, 6)
        e = np.exp(pixels @ named["attention_kernel"])
        c = sum(e[i] / e.sum() * pixels[i] for i in range(12))
        t = c @ named["squeeze_kernel"] + named["squeeze_bias"]
        t = (t - t.mean()) / np.sqrt(t.var() + 1e-5)
        t = np.maximum(t * named["normalization/gamma"] + named["normalization/beta"], 0)
        t = t @ named["excite_kernel"] + named["excite_bias"]
        wanted = x[n] + t if fusion == "add" else x[n] / (1 + np.exp(-t))
        np.testing.assert_allclose(y[n], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("case", "fusion"), [("context", "multiply"), ("context_add", "add")])
def test_golden(case, fusion):
    """The peer's second weight is a bias of the scores, which cancels in the softmax."""
    layer = layers.GlobalContext(2, fusion, epsilon=1e-6)
    order = (0, 2, 3, 6, 7, 4, 5)
    check_against_peer(layer, "timm_channel_attention", case, order=order)


def test_starts_as_the_identity_where_it_adds(rng):
    x = rng.normal(size=(2, 3, 4, 6)).astype("float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(layers.GlobalContext()(x)), x)
