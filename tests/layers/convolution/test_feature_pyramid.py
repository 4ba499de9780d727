import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import convolve
from tests.layers.convolution.peers import check_against_peer

# twice, a half rounded up, and neither
SIZES = [(8, 7), (4, 4), (3, 2)]


def maps(rng):
    return [rng.normal(size=(2, *size, c)).astype("float32") for c, size in enumerate(SIZES, 2)]


def test_reference(rng):
    x = maps(rng)
    pyramid = layers.FeaturePyramid(3)
    outputs = pyramid(x)
    kernels = [ops.convert_to_numpy(w) for w in pyramid.weights if w.name == "kernel"]
    above = None
    for level in (2, 1, 0):
        M = convolve(x[level], kernels[level])
        if above is not None:
            for i, j in np.ndindex(SIZES[level]):
                height, width = above.shape[1:3]
                row, column = i * height // SIZES[level][0], j * width // SIZES[level][1]
                M[:, i, j] += above[:, row, column]
        wanted, above = convolve(M, kernels[3 + level], padding="same"), M
        y = ops.convert_to_numpy(outputs[level])
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)


def test_golden():
    check_against_peer(layers.FeaturePyramid(6), "torchvision_feature_pyramid", "pyramid")


def test_maps_of_unknown_size(rng):
    x, pyramid = maps(rng), layers.FeaturePyramid(2, normalization="batch")
    inputs = [keras.Input((None, None, m.shape[-1])) for m in x]
    model = keras.Model(inputs, pyramid(inputs))
    for y, wanted in zip(model.predict(x, verbose=0), pyramid(x), strict=True):
        np.testing.assert_allclose(y, ops.convert_to_numpy(wanted), rtol=1e-4, atol=1e-5)


def test_channels_first(rng):
    x = maps(rng)
    last = layers.FeaturePyramid(2)
    first = layers.FeaturePyramid(2, data_format="channels_first")
    wanted, turned = last(x), [np.moveaxis(m, -1, 1) for m in x]
    first.build([m.shape for m in turned])
    first.set_weights(last.get_weights())
    for y, w in zip(first(turned), wanted, strict=True):
        y = np.moveaxis(ops.convert_to_numpy(y), 1, -1)
        np.testing.assert_allclose(y, ops.convert_to_numpy(w), rtol=1e-4, atol=1e-5)


def test_one_map_alone_is_refused():
    with pytest.raises(ValueError, match="FeaturePyramid: `input_shape` must be a list of shapes"):
        layers.FeaturePyramid(2).build((None, 4, 4, 3))
