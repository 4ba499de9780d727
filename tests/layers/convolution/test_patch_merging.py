import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.peers import check_against_peer


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (2, 5, 4, 3), (1, 3, 1, 2)])
def test_reference(rng, shape):
    x = rng.normal(size=shape).astype("float32")
    layer = layers.PatchMerging()
    y = ops.convert_to_numpy(layer(x))
    W = ops.convert_to_numpy(layer.weights[0])
    batch, height, width, channels = shape
    whole = np.zeros((batch, height + height % 2, width + width % 2, channels))
    whole[:, :height, :width] = x
    for n, i, j in np.ndindex(*y.shape[:3]):
        four = [whole[n, 2 * i + u, 2 * j + v] for v in (0, 1) for u in (0, 1)]
        token = np.concatenate(four)
        token = (token - token.mean()) / np.sqrt(token.var() + 1e-3)
        np.testing.assert_allclose(y[n, i, j], token @ W, rtol=1e-3, atol=1e-4)


def test_golden():
    layer = layers.PatchMerging(normalization=keras.layers.LayerNormalization(epsilon=1e-5))
    check_against_peer(layer, "timm_patches", "merging", last=1)


def test_maps_of_unknown_size(rng):
    layer = layers.PatchMerging()
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, layer(inputs))
    for size in ((4, 5), (3, 6)):
        x = rng.normal(size=(2, *size, 2)).astype("float32")
        y = model.predict(x, verbose=0)
        np.testing.assert_allclose(y, ops.convert_to_numpy(layer(x)), rtol=1e-4, atol=1e-5)
