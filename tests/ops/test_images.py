import numpy as np
import pytest
from keras import ops

from kcatalog.ops import resample, rotate, translate


def reference(image, angle, shift=(0, 0)):
    """Each pixel from where it was before the turn about the centre, between four pixels."""
    h, w, _ = image.shape
    out = np.zeros_like(image)
    for i in range(h):
        for j in range(w):
            x, y = j - (w - 1) / 2 - shift[0], i - (h - 1) / 2 - shift[1]
            x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
            x, y = x + (w - 1) / 2, y + (h - 1) / 2
            for a in (int(np.floor(y)), int(np.floor(y)) + 1):
                for b in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= a < h and 0 <= b < w:
                        out[i, j] += (1 - abs(y - a)) * (1 - abs(x - b)) * image[a, b]
    return out


def test_reference_rotate(rng):
    images = rng.normal(size=(2, 5, 7, 2)).astype("float32")
    got = ops.convert_to_numpy(rotate(images, [0.3, -2.0], "bilinear"))
    for image, angle, turned in zip(images, (0.3, -2.0), got, strict=True):
        np.testing.assert_allclose(turned, reference(image, angle), rtol=1e-4, atol=1e-5)
    same = ops.convert_to_numpy(rotate(images, 0.3, "BILINEAR"))
    np.testing.assert_allclose(same[0], got[0], rtol=1e-5, atol=1e-6)


def test_reference_translate(rng):
    images = rng.normal(size=(2, 5, 7, 2)).astype("float32")
    shifts = [[1.5, -2.0], [0.25, 0.5]]
    got = ops.convert_to_numpy(translate(images, shifts, "bilinear"))
    for image, shift, moved in zip(images, shifts, got, strict=True):
        np.testing.assert_allclose(moved, reference(image, 0.0, shift), rtol=1e-4, atol=1e-5)


def between(image, y, x, beyond):
    """Return the value at a point of one image; `beyond` gives that of a pixel."""
    i, j = int(np.floor(y)), int(np.floor(x))
    return sum(
        (1 - abs(y - a)) * (1 - abs(x - b)) * beyond(image, a, b)
        for a in (i, i + 1)
        for b in (j, j + 1)
    )


def edge(image, a, b):
    return image[min(max(a, 0), len(image) - 1), min(max(b, 0), image.shape[1] - 1)]


def zero(image, a, b):
    inside = 0 <= a < len(image) and 0 <= b < image.shape[1]
    return image[a, b] if inside else 0 * image[0, 0]


@pytest.mark.parametrize(("fill_mode", "beyond"), [("nearest", edge), ("constant", zero)])
def test_reference_resample(fill_mode, beyond, rng):
    images = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    points = rng.uniform(-2, 6, size=(2, 3, 4, 2)).astype("float32")
    got = ops.convert_to_numpy(resample(images, points, fill_mode))
    assert got.shape == (2, 3, 4, 3)
    for n, i, j in np.ndindex(2, 3, 4):
        expected = between(images[n], *points[n, i, j].astype("float64"), beyond)
        np.testing.assert_allclose(got[n, i, j], expected, rtol=1e-4, atol=1e-5)


def test_relative_points(rng):
    """A pixel to the left and half a pixel down."""
    images = rng.normal(size=(1, 3, 4, 1)).astype("float32")
    flow = np.tile(np.float32([0.5, -1.0]), (1, 3, 4, 1))
    got = ops.convert_to_numpy(resample(images, flow, relative=True))
    for i, j in np.ndindex(3, 4):
        expected = between(images[0], i + 0.5, j - 1.0, edge)
        np.testing.assert_allclose(got[0, i, j], expected, rtol=1e-4, atol=1e-5)


def test_whole_pixels_keep_their_type():
    image = np.arange(12, dtype="uint8").reshape(3, 4)
    moved = ops.convert_to_numpy(translate(image, [1, -1], fill_value=9))
    assert moved.dtype == "uint8"
    assert moved.tolist() == [[9, 4, 5, 6], [9, 8, 9, 10], [9, 9, 9, 9]]


def test_refusals():
    image = np.zeros((3, 3, 1), "float32")
    with pytest.raises(ValueError, match=r"rotate: `interpolation` must be one of .*'cubic'"):
        rotate(image, 1.0, "cubic")
    with pytest.raises(ValueError, match="translate: `fill_mode` must be one of"):
        translate(image, (1, 1), fill_mode="mirror")
    with pytest.raises(ValueError, match="resample: `fill_mode` must be one of"):
        resample(image[None], [[[0.0, 0.0]]], "wrap")
    with pytest.raises(ValueError, match="resample: `images` must be of 4 axes"):
        resample(image, [[[0.0, 0.0]]])
    for function in (rotate, translate):
        with pytest.raises(ValueError, match=r"`images` must be of shape .*\(3,\)"):
            function(image[0, :, 0], (1.0, 1.0))


@pytest.mark.tensorflow
def test_in_tf_data(rng):
    """Augmentation in a `tf.data` pipeline, in which shapes are unknown."""
    tf = pytest.importorskip("tensorflow")
    images = rng.normal(size=(3, 4, 5, 1)).astype("float32")
    spec = tf.TensorSpec((None, None, None, 1), tf.float32)
    data = tf.data.Dataset.from_generator(lambda: iter([images]), output_signature=spec)
    (turned,) = data.map(lambda x: translate(rotate(x, tf.fill([tf.shape(x)[0]], 0.1)), (1, 0)))
    expected = ops.convert_to_numpy(translate(rotate(images, 0.1), (1, 0)))
    np.testing.assert_allclose(turned.numpy(), expected, rtol=1e-6)
