import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


def reference(x, s):
    """Each number moved by itself."""
    batch, height, width, channels = x.shape
    y = np.empty((batch, height * s, width * s, channels // s**2))
    for n, i, j, c in np.ndindex(*y.shape):
        y[n, i, j, c] = x[n, i // s, j // s, (i % s * s + j % s) * y.shape[-1] + c]
    return y


@pytest.mark.parametrize("size", [1, 2, 3])
def test_reference(rng, size):
    x = rng.normal(size=(2, 3, 4, 36)).astype("float32")
    y = ops.convert_to_numpy(layers.DepthToSpace(size)(x))
    np.testing.assert_array_equal(y, reference(x, size).astype("float32"))


def test_golden():
    check_against_peer(layers.DepthToSpace(2), "timm_patches", "depth_to_space")


def test_channels_that_do_not_divide_are_refused():
    rule = "DepthToSpace: `input_shape` must be of channels divisible by block_size² = 4"
    with pytest.raises(ValueError, match=rule):
        layers.DepthToSpace(2).build((None, 6, 8, 6))
