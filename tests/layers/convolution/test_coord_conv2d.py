import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import convolve


def coordinates(height, width, radius):
    """The channels that Liu et al. append, one pixel at a time."""
    maps = np.empty((height, width, 3))
    for i, j in np.ndindex(height, width):
        row = 2 * i / (height - 1) - 1 if height > 1 else 0.0
        column = 2 * j / (width - 1) - 1 if width > 1 else 0.0
        maps[i, j] = row, column, np.hypot(row, column)
    return maps if radius else maps[..., :2]


@pytest.mark.parametrize("radius", [False, True])
@pytest.mark.parametrize("options", [{}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}])
def test_reference(rng, radius, options):
    x = rng.normal(size=(2, 6, 7, 3)).astype("float32")
    layer = layers.CoordConv2D(4, 3, use_radius=radius, bias_initializer="ones", **options)
    y = ops.convert_to_numpy(layer(x))
    maps = np.broadcast_to(coordinates(6, 7, radius), (2, 6, 7, 3 if radius else 2))
    kernel = ops.convert_to_numpy(layer.kernel)
    wanted = 1 + convolve(np.concatenate([x, maps], axis=-1), kernel, **options)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


def test_every_group_sees_the_coordinates(rng):
    x = rng.normal(size=(2, 5, 4, 4)).astype("float32")
    layer = layers.CoordConv2D(6, 3, groups=2)
    y = ops.convert_to_numpy(layer(x))
    maps = np.broadcast_to(coordinates(5, 4, False), (2, 5, 4, 2))
    wider = np.concatenate([x[..., :2], maps, x[..., 2:], maps], axis=-1)
    wanted = convolve(wider, ops.convert_to_numpy(layer.kernel), groups=2)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


def test_a_single_row_is_in_the_middle():
    layer = layers.CoordConv2D(1, 1, kernel_initializer="ones", use_radius=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(np.ones((1, 1, 1, 2)))), [[[[2.0]]]])
