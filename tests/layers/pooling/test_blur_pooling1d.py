import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def test_reference_is_the_blur_of_a_map_with_equal_columns(rng):
    """Its maths is that of two axes, which `test_blur_pooling2d.py` compares with loops."""
    x = rng.normal(size=(2, 9, 3)).astype("float32")
    for n, s, padding in (
        (2, 2, "reflect"),
        (3, 2, "symmetric"),
        (5, 3, "reflect"),
        (4, 1, "reflect"),
    ):
        y = layers.BlurPooling1D(n, s, padding)(x)
        of_map = layers.BlurPooling2D(n, s, padding)(x[:, :, None].repeat(9, 2))
        np.testing.assert_allclose(ops.convert_to_numpy(y), of_map[:, :, 0], rtol=1e-5, atol=1e-6)


def test_reference_by_hand():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0], "float32").reshape(1, 5, 1)
    y = ops.convert_to_numpy(layers.BlurPooling1D(3, 2)(x)).ravel()
    mirrored = [2.0, *x.ravel(), 8.0]
    expected = [(mirrored[i] + 2 * mirrored[i + 1] + mirrored[i + 2]) / 4 for i in (0, 2, 4)]
    np.testing.assert_allclose(y, expected)


@pytest.mark.parametrize(("n", "s"), [(2, 2), (3, 2), (4, 1), (4, 3), (5, 2)])
def test_a_mask_is_that_of_the_middles(n, s):
    """With steps that rise by one the middle of a blur is its value (less 1/2 if n is even)."""
    x = np.arange(12, dtype="float32").reshape(1, 12, 1)
    layer = layers.BlurPooling1D(n, s)
    y = ops.convert_to_numpy(layer(x)).ravel()
    for real in range(1, 13):
        mask = ops.convert_to_numpy(layer.compute_mask(x, x[..., 0] < real)).ravel()
        inner = slice(1, -1)
        np.testing.assert_array_equal(mask[inner], (np.ceil(y) < real)[inner])
