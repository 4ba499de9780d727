import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import convolve
from tests.layers.convolution.peers import check_against_peer


def test_reference(rng):
    """Equation 1 of Dosovitskiy et al., one patch at a time."""
    x = rng.normal(size=(2, 6, 8, 3)).astype("float32")
    layer = layers.PatchEmbedding((3, 2), 5, bias_initializer="ones")
    y = ops.convert_to_numpy(layer(x))
    E = ops.convert_to_numpy(layer.weights[0]).reshape(-1, 5)
    for n in range(2):
        for i, j in np.ndindex(2, 4):
            patch = x[n, 3 * i : 3 * i + 3, 2 * j : 2 * j + 2].reshape(-1)
            np.testing.assert_allclose(y[n, 4 * i + j], patch @ E + 1, rtol=1e-4, atol=1e-5)
    assert y.shape == (2, 8, 5)


def test_golden():
    norm = keras.layers.LayerNormalization(epsilon=1e-5)
    layer = layers.PatchEmbedding((3, 2), 5, normalization=norm)
    check_against_peer(layer, "timm_patches", "embedding")


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_overlapping_patches_of_a_map(rng, padding):
    x = rng.normal(size=(2, 7, 5, 3)).astype("float32")
    layer = layers.PatchEmbedding(3, 4, strides=2, padding=padding, flatten=False)
    y = ops.convert_to_numpy(layer(x))
    wanted = convolve(x, ops.convert_to_numpy(layer.weights[0]), 2, padding)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape((None, None, 5, 3)) == (None, None, y.shape[2], 4)


def test_images_of_unknown_size():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.PatchEmbedding(2, 4)(inputs))
    assert model.output_shape == (None, None, 4)
    assert model.predict(np.ones((1, 4, 6, 3)), verbose=0).shape == (1, 6, 4)


def test_a_size_that_does_not_divide_is_refused():
    rule = "PatchEmbedding: `input_shape` must be of a height and width divisible by patch_size=4"
    with pytest.raises(ValueError, match=rule):
        layers.PatchEmbedding(4, 8).build((None, 8, 6, 3))
    layers.PatchEmbedding(4, 8, padding="same").build((None, 8, 6, 3))
