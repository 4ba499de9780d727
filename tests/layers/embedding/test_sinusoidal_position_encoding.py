import math

import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden


def reference(p, features, w):
    """Section 3.5 of Vaswani et al. for one position."""
    wave = [
        (math.sin, math.cos)[j % 2](p / w ** (2 * (j // 2) / features)) for j in range(features)
    ]
    return np.array(wave)


@pytest.mark.parametrize("features", [1, 5, 6])
def test_reference(features):
    layer = layers.SinusoidalPositionEncoding(max_wavelength=50.0)
    y = ops.convert_to_numpy(layer(np.zeros((2, 4, features)), start_index=3))
    for n in range(2):
        for t in range(4):
            np.testing.assert_allclose(y[n, t], reference(3 + t, features, 50.0), atol=1e-5)


def test_reference_of_two_dimensions():
    y = ops.convert_to_numpy(layers.SinusoidalPositionEncoding()(np.zeros((1, 3, 2, 6))))
    for i in range(3):
        for j in range(2):
            both = [reference(i, 3, 1e4), reference(j, 3, 1e4)]
            np.testing.assert_allclose(y[0, i, j], np.concatenate(both), atol=1e-5)


def test_golden():
    """The peer has all sines of an axis before all cosines."""
    grid = golden("timm_positions")["grid"].reshape(3, 5, 2, 2, 2)
    layer = layers.SinusoidalPositionEncoding(max_wavelength=100.0)
    y = ops.convert_to_numpy(layer(np.zeros((1, 3, 5, 8))))[0]
    np.testing.assert_allclose(y, np.swapaxes(grid, -1, -2).reshape(3, 5, 8), atol=1e-6)


def test_a_shift_is_a_rotation(rng):
    """The inner product of two positions depends on their distance only."""
    y = ops.convert_to_numpy(layers.SinusoidalPositionEncoding()(np.zeros((1, 300, 16))))[0]
    for distance in (1, 20):
        products = np.sum(y[distance:] * y[:-distance], axis=-1)
        np.testing.assert_allclose(products, products[0], rtol=1e-4)
