import numpy as np
import pytest
from keras import ops

from kcatalog.ops import gaussian_filter, mean_filter, median_filter


def windows(image, size, padding):
    """Return the window around each pixel, `(height, width, window height, window width)`."""
    before = [(n - 1) // 2 for n in size]
    widths = [(b, n - 1 - b) for b, n in zip(before, size, strict=True)]
    x = np.pad(image, widths, padding)
    h, w = image.shape
    parts = [[x[i : i + size[0], j : j + size[1]] for j in range(w)] for i in range(h)]
    return np.array(parts)


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "constant"])
@pytest.mark.parametrize("size", [(3, 3), (1, 5), (4, 2)])
def test_reference(size, padding, rng):
    image = rng.normal(size=(6, 7)).astype("float32")
    parts = windows(image, size, padding)
    y, x = (np.arange(n) - (n - 1) // 2 for n in size)
    density = np.exp(-(y[:, None] ** 2) / (2 * 0.8**2) - x**2 / (2 * 1.5**2))
    blurred = (parts * density / density.sum()).sum((2, 3))
    for got, expected in (
        (mean_filter(image, size, padding), parts.mean((2, 3))),
        (median_filter(image, size, padding), np.median(parts, (2, 3))),
        (gaussian_filter(image, size, (0.8, 1.5), padding), blurred),
    ):
        np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "constant"])
@pytest.mark.parametrize("shape", [(2, 3), (1, 4)])
def test_windows_wider_than_the_image(shape, padding, rng):
    image = rng.normal(size=shape).astype("float32")
    parts = windows(image, (7, 9), padding)
    for got, expected in (
        (mean_filter(image, (7, 9), padding), parts.mean((2, 3))),
        (median_filter(image, (7, 9), padding), np.median(parts, (2, 3))),
    ):
        np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("filtered", [mean_filter, median_filter, gaussian_filter])
def test_shapes_and_types(filtered, rng):
    """Channels and images are filtered by themselves, and whole numbers stay whole."""
    images = rng.integers(0, 256, size=(2, 5, 6, 3)).astype("uint8")
    got = ops.convert_to_numpy(filtered(images, (3, 5)))
    assert got.dtype == "uint8"
    one = ops.convert_to_numpy(filtered(images[1], (3, 5)))
    np.testing.assert_array_equal(got[1], one)
    np.testing.assert_array_equal(one[..., 2], filtered(images[1, ..., 2], (3, 5)))


def test_refusals():
    image = np.zeros((4, 4), "float32")
    with pytest.raises(ValueError, match=r"mean_filter: `size` must be .*size=0"):
        mean_filter(image, 0)
    with pytest.raises(ValueError, match="median_filter: `padding` must be one of"):
        median_filter(image, padding="wrap")
    with pytest.raises(ValueError, match="gaussian_filter: `images` must be of shape"):
        gaussian_filter(image[0])


@pytest.mark.tensorflow
def test_in_tf_data(rng):
    """Filters in a `tf.data` pipeline, in which shapes are unknown."""
    tf = pytest.importorskip("tensorflow")
    images = rng.normal(size=(3, 5, 2, 1)).astype("float32")
    spec = tf.TensorSpec((None, None, None, 1), tf.float32)
    data = tf.data.Dataset.from_generator(lambda: iter([images]), output_signature=spec)
    (got,) = data.map(lambda x: mean_filter(median_filter(gaussian_filter(x)), 5))
    expected = ops.convert_to_numpy(mean_filter(median_filter(gaussian_filter(images)), 5))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-6)
