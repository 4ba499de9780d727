"""Filters of images, on tensors of any backend and in `tf.data`."""

from collections.abc import Sequence

from keras import ops

from kcatalog import checks
from kcatalog.ops.images import rank_error
from kcatalog.types import Tensor

PADDINGS = ("reflect", "constant", "symmetric")


def mean_filter(
    images: Tensor, size: int | Sequence[int] = 3, padding: str = "reflect", value: float = 0.0
) -> Tensor:
    """Return images whose pixels are means of the windows around them; they keep size and type.

    Args:
        images: `(batch, height, width, channels)`, `(height, width, channels)` or
            `(height, width)`.
        size: Height and width of the window, or one number for both. An even one reaches one pixel
            further down and to the right.
        padding: What lies beyond the border: `"reflect"`, `"symmetric"` or `"constant"`. An image
            that is narrower than the window is reflected again and again, as in `numpy.pad`.
        value: The constant.

    >>> print(ops.convert_to_numpy(mean_filter([[0.0, 3.0, 0.0]], (1, 3))))
    [[2. 1. 2.]]
    """
    kernels = [ops.full((n,), 1 / n) for n in _pair("mean_filter", "size", size)]
    return _separable("mean_filter", images, kernels, padding, value)


def gaussian_filter(
    images: Tensor,
    size: int | Sequence[int] = 3,
    sigma: float | Sequence[float] | Tensor = 1.0,
    padding: str = "reflect",
    value: float = 0.0,
) -> Tensor:
    """Return images blurred by a normal density in a window; they keep size and type.

    `keras.ops.image.gaussian_blur` is the same away from the border, beyond which it has zeros.

    Args:
        images, size, padding, value: As for `mean_filter`.
        sigma: Standard deviation in pixels, or a pair for height and width.

    >>> print(ops.convert_to_numpy(gaussian_filter([[0.0, 1.0, 0.0]], (1, 3), 1.0)).round(2))
    [[0.55 0.45 0.55]]
    """
    sizes = _pair("gaussian_filter", "size", size)
    sigmas = ops.ones(2) * ops.cast(sigma, "float32")
    kernels = []
    for i, n in enumerate(sizes):
        x = ops.arange(n, dtype="float32") - (n - 1) // 2
        density = ops.exp(-(x**2) / (2 * sigmas[i] ** 2))
        kernels.append(density / ops.sum(density))
    return _separable("gaussian_filter", images, kernels, padding, value)


def median_filter(
    images: Tensor, size: int | Sequence[int] = 3, padding: str = "reflect", value: float = 0.0
) -> Tensor:
    """Return images whose pixels are medians of the windows around them; they keep size and type.

    Args:
        images, size, padding, value: As for `mean_filter`.

    >>> print(ops.convert_to_numpy(median_filter([[0.0, 0.0, 9.0, 0.0, 1.0]], (1, 3))))
    [[0. 0. 0. 1. 0.]]
    """
    sizes = _pair("median_filter", "size", size)
    x, axes, dtype = _prepared("median_filter", images)
    shape = [ops.shape(x)[axis] for axis in axes]
    x = _padded("median_filter", x, axes, sizes, padding, value)
    rows = [_shifted(x, axes[0], i, shape[0]) for i in range(sizes[0])]
    windows = [_shifted(row, axes[1], j, shape[1]) for row in rows for j in range(sizes[1])]
    return ops.cast(ops.median(ops.stack(windows), axis=0), dtype)


def _separable(owner, images, kernels, padding, value):
    """Sum shifted images along height, then along width, with these weights."""
    x, axes, dtype = _prepared(owner, images)
    sizes = [int(kernel.shape[0]) for kernel in kernels]
    shape = [ops.shape(x)[axis] for axis in axes]
    x = _padded(owner, x, axes, sizes, padding, value)
    for axis, n, kernel, length in zip(axes, sizes, kernels, shape, strict=True):
        kernel = ops.cast(kernel, x.dtype)
        x = sum(kernel[i] * _shifted(x, axis, i, length) for i in range(n))
    return ops.cast(x, dtype)


def _prepared(owner, images):
    """Return images as floats, the axes of height and width, and the type that they had."""
    images = ops.convert_to_tensor(images)
    axes = {2: (0, 1), 3: (0, 1), 4: (1, 2)}.get(len(images.shape))
    if axes is None:
        raise rank_error(owner, images)
    dtype = images.dtype
    return images if "float" in str(dtype) else ops.cast(images, "float32"), axes, dtype


def _padded(owner, x, axes, sizes, padding, value):
    padding = str(padding).lower()
    checks.choice(owner, "padding", padding, PADDINGS)
    for axis, n in zip(axes, sizes, strict=True):
        before, after = (n - 1) // 2, n - 1 - (n - 1) // 2
        if padding == "constant":
            widths = [(0, 0)] * len(x.shape)
            widths[axis] = (before, after)
            x = ops.pad(x, widths, "constant", value)
        else:  # by indices: on PyTorch Keras's "symmetric" repeats the last pixel
            length = ops.shape(x)[axis]
            once = 1 if padding == "reflect" else 0  # the border is not repeated
            period = 2 * (length - once)
            i = ops.mod(ops.arange(-before, length + after, dtype="int32"), ops.maximum(period, 1))
            i = ops.where(i < length, i, period - 1 + once - i)
            x = ops.take(x, i, axis=axis)
    return x


def _shifted(x, axis, start, length):
    index = [slice(None)] * len(x.shape)
    index[axis] = slice(start, start + length)
    return x[tuple(index)]


def _pair(owner, argument, value):
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    for n in pair:
        checks.integer(owner, argument, n, "[1, inf)")
    return pair
