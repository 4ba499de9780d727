import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


def reference(x, s):
    """Each number moved by itself."""
    batch, height, width, channels = x.shape
    y = np.empty((batch, height // s, width // s, s * s * channels))
    for n, i, j, c in np.ndindex(*x.shape):
        y[n, i // s, j // s, (i % s * s + j % s) * channels + c] = x[n, i, j, c]
    return y


@pytest.mark.parametrize("size", [1, 2, 3])
def test_reference(rng, size):
    x = rng.normal(size=(2, 6, 12, 3)).astype("float32")
    y = ops.convert_to_numpy(layers.SpaceToDepth(size)(x))
    np.testing.assert_array_equal(y, reference(x, size).astype("float32"))


def test_golden():
    check_against_peer(layers.SpaceToDepth(4), "timm_patches", "space_to_depth")


def test_of_unknown_size(rng):
    x = rng.normal(size=(2, 4, 6, 3)).astype("float32")
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.DepthToSpace(2)(layers.SpaceToDepth(2)(inputs)))
    assert model.output_shape == (None, None, None, 3)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_a_size_that_does_not_divide_is_refused():
    rule = "SpaceToDepth: `input_shape` must be of a height and width divisible by block_size=3"
    with pytest.raises(ValueError, match=rule):
        layers.SpaceToDepth(3).build((None, 6, 8, 2))
