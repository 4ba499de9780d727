from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import both
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
    equation="y[index[i]] = x[i], and 0 elsewhere",
    space={"pool_size": Choice(2, 3)},
    example=Example({"pool_size": (2, 1)}, shape=((2, 3, 2), (2, 3, 2))),
)
class MaxUnpooling2D(ImageLayer):
    """Partial inverse of `MaxPoolingWithIndices2D`: values go back to where the maxima stood.

    For the decoder of a segmentation network, in place of upsampling.

    Maths:
        `y[index[i]] = x[i]` for every value `i` of an image and 0 elsewhere, with
        `index = (a W + b) C + c` for row `a`, column `b` and channel `c` of an output `W` wide with
        `C` channels. Values that share an index are averaged where windows overlap, so that
        maxima that two windows share come out as they are, and else added, as TFA does.

    Args:
        pool_size: That of the pooling, an integer in [1, inf), or two of them.
        strides: Those of the pooling, an integer in [1, inf), or two of them, or None for the
            pool's size.
        padding: That of the pooling, "valid" or "same".
        output_size: Height and width of the output, an integer in [1, inf), or two of them, or
            None for the least that such a pooling can have come from ("valid") or the largest
            ("same"). Give it where the sizes were no multiples of the strides.

    Shapes:
        Two inputs, values and indices, `(batch, height, width, channels)`; output
        `(batch, new_height, new_width, channels)`: `output_size`, or
        `(height - 1) · strides + pool_size` for "valid", `height · strides` for "same".

    Behaviour:
        Training and inference are the same. Deterministic, without weights. Indices beyond the
        output are left out.

    Example:
        >>> import keras, kcatalog
        >>> x = keras.ops.convert_to_tensor([[[[1.0], [5.0]], [[2.0], [3.0]]]])
        >>> y = MaxUnpooling2D()(*kcatalog.layers.MaxPoolingWithIndices2D()(x))
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [0. 5. 0. 0.]
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        output_size: int | tuple[int, int] | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.pool_size = checks.pair(self, "pool_size", pool_size, "[1, inf)")
        self.strides = checks.pair(self, "strides", strides, "[1, inf)", optional=True)
        self.padding = checks.choice(self, "padding", padding, ("valid", "same"))
        self.output_size = checks.pair(self, "output_size", output_size, "[1, inf)", optional=True)
        self._n = both(pool_size)
        self._s = self._n if strides is None else both(strides)

    def build(self, x_shape: Shape, indices_shape: Shape) -> None:
        super().build(x_shape)
        if not _alike(x_shape, indices_shape):
            rule = f"{tuple(x_shape)} for the indices, too"
            raise checks.error(self, "input_shape", rule, tuple(indices_shape))

    def call(self, x: Tensor, indices: Tensor) -> Tensor:
        x, indices = as_floats(x, self.compute_dtype), ops.cast(indices, "int32")
        if x.shape[0] == 0:
            return ops.zeros(self.compute_output_shape(tuple(x.shape)), x.dtype)
        x, indices = map(self.channels_last, (x, indices))
        batch, *sizes, channels = ops.shape(x)
        sizes = self._sizes(sizes)
        places = sizes[0] * sizes[1] * channels
        inside = ops.logical_and(indices >= 0, indices < places)
        image = ops.reshape(ops.arange(batch, dtype="int32") * places, (-1, 1, 1, 1))
        ids = ops.reshape(ops.where(inside, indices, 0) + image, (-1,))
        y = ops.segment_sum(_flat(ops.where(inside, x, 0)), ids, batch * places)
        if any(s < n for s, n in zip(self._s, self._n, strict=True)):
            count = ops.segment_sum(_flat(ops.cast(inside, x.dtype)), ids, batch * places)
            y = y / ops.maximum(count, 1)
        return self.own_format(ops.reshape(y, (batch, *sizes, channels)))

    def _sizes(self, sizes):
        if self.output_size is not None:
            return both(self.output_size)
        same = self.padding == "same"
        parts = zip(sizes, self._n, self._s, strict=True)
        return [
            None if size is None else size * s if same else (size - 1) * s + n
            for size, n, s in parts
        ]

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        return (batch, *self._sizes(sizes), channels)

    def compute_output_shape(self, x_shape: Shape, indices_shape: Shape | None = None) -> Shape:
        return super().compute_output_shape(x_shape)


def _flat(x):
    return ops.reshape(x, (-1,))


def _alike(shape, other):
    pairs = zip(shape, other, strict=False)
    return len(shape) == len(other) and all(None in p or p[0] == p[1] for p in pairs)
