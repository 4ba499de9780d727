import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


def test_reference(rng):
    """Equation 9 of Wang et al., one number at a time."""
    x = rng.normal(size=(2, 3, 4, 6)).astype("float32")
    layer = layers.EfficientChannelAttention(3)
    y = ops.convert_to_numpy(layer(x))
    w = ops.convert_to_numpy(layer.weights[0]).ravel()
    for n in range(2):
        z = [x[n, :, :, c].mean() for c in range(6)]
        for c in range(6):
            near = sum(w[j] * z[c + j - 1] for j in range(3) if 0 <= c + j - 1 < 6)
            gate = 1 / (1 + np.exp(-near))
            np.testing.assert_allclose(y[n, ..., c], x[n, ..., c] * gate, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("case", "options"), [("eca", {"gamma": 1}), ("eca_wide", {})])
def test_golden(case, options):
    layer = layers.EfficientChannelAttention(**options)
    check_against_peer(layer, "timm_channel_attention", case)


@pytest.mark.parametrize(("channels", "k"), [(2, 1), (16, 3), (64, 3), (128, 5), (512, 5)])
def test_the_papers_kernel_size(channels, k):
    layer = layers.EfficientChannelAttention()
    layer.build((None, 2, 2, channels))
    assert layer.weights[0].shape == (k, 1, 1)


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="`kernel_size` must be an odd integer"):
        layers.EfficientChannelAttention(4)
