"""Images that are turned, shifted or read between their pixels, each in its own way."""

from keras import ops

from kcatalog import checks
from kcatalog.types import Tensor

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "wrap", "reflect")


def rotate(
    images: Tensor,
    angles: Tensor,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Tensor:
    """Return images turned counterclockwise about their centres; they keep size and type.

    To augment images in training, use `keras.layers.RandomRotation`.

    Args:
        images: `(batch, height, width, channels)`, `(height, width, channels)` or
            `(height, width)`.
        angles: One angle in radians, or `(batch,)`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: What lies beyond the border: `"constant"`, `"nearest"`, `"wrap"` or `"reflect"`.
        fill_value: The constant.

    >>> image = ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> print(ops.convert_to_numpy(rotate(image, 3.14159265 / 2)))
    [[2. 4.]
     [1. 3.]]
    """
    images, angles = ops.convert_to_tensor(images), ops.cast(angles, "float32")
    axes = {2: (0, 1), 3: (0, 1), 4: (1, 2)}.get(len(images.shape))
    if axes is None:
        raise rank_error("rotate", images)
    h, w = (ops.cast(ops.shape(images)[i] - 1, "float32") for i in axes)
    c, s = ops.cos(angles), ops.sin(angles)
    zero = ops.zeros_like(c)
    x, y = (w - (c * w - s * h)) / 2, (h - (s * w + c * h)) / 2
    transforms = ops.stack([c, -s, x, s, c, y, zero, zero], axis=-1)
    return _transform("rotate", images, transforms, interpolation, fill_mode, fill_value)


def translate(
    images: Tensor,
    translations: Tensor,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Tensor:
    """Return images shifted to the right and down; they keep size and type.

    To augment images in training, use `keras.layers.RandomTranslation`.

    Args:
        images: `(batch, height, width, channels)`, `(height, width, channels)` or
            `(height, width)`.
        translations: `(dx, dy)` in pixels, or `(batch, 2)`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: What lies beyond the border: `"constant"`, `"nearest"`, `"wrap"` or `"reflect"`.
        fill_value: The constant.

    >>> image = ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> print(ops.convert_to_numpy(translate(image, (1, 0))))
    [[0. 1.]
     [0. 3.]]
    """
    images, shift = ops.convert_to_tensor(images), ops.cast(translations, "float32")
    if len(images.shape) not in (2, 3, 4):
        raise rank_error("translate", images)
    dx, dy = shift[..., 0], shift[..., 1]
    zero, one = ops.zeros_like(dx), ops.ones_like(dx)
    transforms = ops.stack([one, zero, -dx, zero, one, -dy, zero, zero], axis=-1)
    return _transform("translate", images, transforms, interpolation, fill_mode, fill_value)


def resample(
    images: Tensor, points: Tensor, fill_mode: str = "nearest", relative: bool = False
) -> Tensor:
    """Return the values of images at points between their pixels, by bilinear interpolation.

    Args:
        images: `(batch, height, width, channels)`.
        points: Row and column of each point, in pixels, `(batch, ..., 2)`.
        fill_mode: What lies beyond the border: `"nearest"`, or `"constant"`, which is 0.
        relative: Whether points are distances from each pixel, `(batch, height, width, 2)`.

    >>> image = ops.reshape(ops.arange(4.0), (1, 2, 2, 1))
    >>> print(ops.convert_to_numpy(resample(image, [[[0.5, 0.25], [5.0, 0.0]]]))[..., 0])
    [[1.25 2.  ]]
    """
    x, points = ops.convert_to_tensor(images), ops.cast(points, "float32")
    if len(x.shape) != 4:
        raise checks.error("resample", "images", "of 4 axes, with a batch", tuple(x.shape))
    checks.choice("resample", "fill_mode", fill_mode, FILL_MODES[:2])
    batch, h, w, channels = ops.shape(x)
    if relative:
        rows, columns = ops.meshgrid(ops.arange(h), ops.arange(w), indexing="ij")
        points = points + ops.cast(ops.stack([rows, columns], axis=-1), points.dtype)
    p = ops.reshape(points, (batch, -1, 2))
    start = ops.floor(p)
    pixels, share = ops.reshape(x, (batch * h * w, channels)), p - start
    dtype = x.dtype if "float" in str(x.dtype) else "float32"
    first = h * w * ops.arange(batch, dtype="int32")[:, None]
    total = 0.0
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, z = (ops.cast(start[..., i], "int32") + n for i, n in enumerate((down, right)))
        weight = ops.abs(1 - down - share[..., 0]) * ops.abs(1 - right - share[..., 1])
        if fill_mode == "constant":
            inside = (y >= 0) & (y < h) & (z >= 0) & (z < w)
            weight = weight * ops.cast(inside, weight.dtype)
        place = first + ops.clip(y, 0, h - 1) * w + ops.clip(z, 0, w - 1)
        value = ops.cast(ops.take(pixels, place, axis=0), dtype)
        total = total + ops.cast(weight, dtype)[..., None] * value
    return ops.reshape(total, (*ops.shape(points)[:-1], channels))


def rank_error(owner: str, images: Tensor) -> ValueError:
    """Return the error for images of a wrong number of axes."""
    rule = "of shape (height, width), (height, width, channels) or (batch, ...)"
    return checks.error(owner, "images", rule, tuple(images.shape))


def _transform(owner, images, transforms, interpolation, fill_mode, fill_value):
    """Apply one transform, or one for each image."""
    interpolation, fill_mode = str(interpolation).lower(), str(fill_mode).lower()
    checks.choice(owner, "interpolation", interpolation, INTERPOLATIONS)
    checks.choice(owner, "fill_mode", fill_mode, FILL_MODES)
    x = images[..., None] if len(images.shape) == 2 else images
    batch = ops.shape(x)[0] if len(x.shape) == 4 else 1
    transforms = ops.zeros((batch, 8)) + transforms  # no view, into which Keras writes on PyTorch
    x = ops.image.affine_transform(
        x, transforms, interpolation, fill_mode, fill_value, data_format="channels_last"
    )
    return x[..., 0] if len(images.shape) == 2 else x
