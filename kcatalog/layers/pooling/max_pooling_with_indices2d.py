from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import both, conv_size
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation",
        "Badrinarayanan, Kendall, Cipolla",
        2017,
        "https://arxiv.org/abs/1511.00561",
        "section 3",
    ),
    equation="y = max of x over a window,  index = (row · width + column) · channels + channel",
    space={"pool_size": Choice(2, 3)},
    example=Example({"pool_size": (2, 1)}, shape=((4, 3, 2),)),
)
class MaxPoolingWithIndices2D(ImageLayer):
    """Max pooling that also tells where each maximum stood, for `MaxUnpooling2D`.

    For encoder-decoder networks that put sharp features back to their places, as SegNet does.

    Maths:
        `y[i, j] = max x[s i + u - pad, s j + v - pad]` over `0 ≤ u, v < n`, with `n` = `pool_size`
        and `s` = `strides`, and `index = (a W + b) C + c` of the first maximum row by row, at row
        `a`, column `b` and channel `c` of an image `W` wide with `C` channels.

    Args:
        pool_size: `n`, an integer in [1, inf), or two of them for height and width.
        strides: `s`, an integer in [1, inf), or two of them, or None for the pool's size.
        padding: "valid", or "same" for windows that reach beyond the border.

    Shapes:
        Input `(batch, height, width, channels)`; two outputs of the shape
        `(batch, new_height, new_width, channels)`: maxima and indices, as int32.

    Behaviour:
        Training and inference are the same. Deterministic, without weights. Indices do not depend
        on `data_format`, and are those of TensorFlow's `max_pool_with_argmax`, without the batch.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[[1.0], [5.0]], [[2.0], [3.0]]]])
        >>> y, indices = MaxPoolingWithIndices2D()(x)
        >>> float(y[0, 0, 0, 0]), int(indices[0, 0, 0, 0])
        (5.0, 1)
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.pool_size = checks.pair(self, "pool_size", pool_size, "[1, inf)")
        self.strides = checks.pair(self, "strides", strides, "[1, inf)", optional=True)
        self.padding = checks.choice(self, "padding", padding, ("valid", "same"))
        self._n = both(pool_size)
        self._s = self._n if strides is None else both(strides)

    def build_images(self, input_shape: Shape) -> None:
        if any(n is not None and n < 1 for n in self.images_output_shape(input_shape)[1:3]):
            rule = f"of a height and width that hold pool_size={self.pool_size}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))

    def call(self, x: Tensor) -> Tensor:
        y, index = self.call_images(self.channels_last(as_floats(x, self.compute_dtype)))
        return self.own_format(y), self.own_format(index)

    def call_images(self, x: Tensor) -> Tensor:
        _, height, width, channels = ops.shape(x)
        # windows reach beyond the border by n - 1 pixels at most
        beyond = [n - 1 if self.padding == "same" else 0 for n in self._n]
        wide = [(0, 0), *((m, m) for m in beyond), (0, 0)]
        padded = ops.pad(x, wide, constant_values=-float("inf"))
        rows, columns = map(self._starts, (height, width), self._n, self._s, beyond)
        best = index = None
        for u in range(self._n[0]):
            for v in range(self._n[1]):
                window = padded[:, self._every(rows, u, 0), self._every(columns, v, 1)]
                a = rows[0] + u - beyond[0] + self._s[0] * ops.arange(rows[1])
                b = columns[0] + v - beyond[1] + self._s[1] * ops.arange(columns[1])
                pixel = (a[:, None] * width + b) * channels
                place = pixel[..., None] + ops.arange(channels)
                if best is None:
                    best, index = window, ops.cast(place, "int32") + ops.zeros_like(window, "int32")
                    continue
                larger = window > best
                best = ops.where(larger, window, best)
                index = ops.where(larger, ops.cast(place, "int32"), index)
        return best, index

    def _starts(self, size, n, s, beyond):
        """Return where the first window starts in the padded image, and how many there are."""
        count = conv_size(size, n, s, self.padding)
        if self.padding == "valid":
            return 0, count
        missing = (count - 1) * s + n - size
        missing = max(missing, 0) if isinstance(missing, int) else ops.maximum(missing, 0)
        return beyond - missing // 2, count

    def _every(self, starts, offset, axis):
        """Return the slice that takes one pixel of each window along an axis."""
        start, count = starts
        first = start + offset
        return slice(first, first + (count - 1) * self._s[axis] + 1, self._s[axis])

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        sizes = zip((height, width), self._n, self._s, strict=True)
        return (batch, *(conv_size(*size, self.padding) for size in sizes), channels)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = super().compute_output_shape(input_shape)
        return shape, shape

    def compute_output_spec(self, x: Tensor) -> Any:
        shape, _ = self.compute_output_shape(x.shape)
        tensor = keras.KerasTensor
        return tensor(shape, self.compute_dtype), tensor(shape, "int32")
