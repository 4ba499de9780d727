"""Images that are turned or shifted as a whole, each by its own angle or distance."""

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
