from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "FlowNet: Learning Optical Flow with Convolutional Networks",
        "Dosovitskiy, Fischer, Ilg, Häusser, Hazırbaş, Golkov, Smagt, Cremers, Brox",
        2015,
        "https://arxiv.org/abs/1504.06852",
        "equation 1",
    ),
    equation="c[d](p) = mean over patch and channels of a(p + o) b(p + o + d)",
    example=Example(
        {"kernel_size": 3, "max_displacement": 2, "stride_1": 2, "stride_2": 2, "pad": 1},
        shape=((6, 7, 3), (6, 7, 3)),
    ),
)
class CorrelationCost(ImageLayer):
    """Correlation of each patch of one feature map with displaced patches of another.

    The cost volume of optical flow and stereo matching: where two images show the same thing, the
    map of its displacement is high. Without weights. Its memory grows with the square of
    `max_displacement / stride_2`.

    Maths:
        `c[d](p) = 1/(K² C) Σ_o Σ_channels a(p + o) b(p + o + d)`, with `o` over the `K²` pixels of
        a patch, `K` = `kernel_size`, and displacements `d` in both directions from
        `-max_displacement` to `max_displacement`, row by row, `stride_2` apart. Patches are
        `stride_1` apart. Both maps are padded with zeros.

    Args:
        kernel_size: `K`, height and width of a patch, an odd integer in [1, inf).
        max_displacement: The largest displacement in pixels, an integer in [0, inf).
        stride_1: Pixels between patches, an integer in [1, inf).
        stride_2: Pixels between displacements, an integer in [1, inf).
        pad: Pixels of zeros on each side of both maps, an integer in [0, inf). With
            `max_displacement + (kernel_size - 1) / 2` the output has a value for each pixel.

    Shapes:
        Input: a list of `a` and `b`, both `(batch, height, width, channels)`; output
        `(batch, new_height, new_width, displacements)`.

    Behaviour:
        Training and inference are the same. Deterministic.

    Example:
        `b` is `a` moved right by one pixel, the sixth of nine displacements:

        >>> import numpy as np
        >>> a = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype("float32")
        >>> layer = CorrelationCost(3, max_displacement=1)
        >>> cost = layer([ops.convert_to_tensor(a), ops.convert_to_tensor(np.roll(a, 1, axis=2))])
        >>> print(ops.convert_to_numpy(ops.argmax(cost[0, 2, 2])))
        5
    """

    def __init__(
        self,
        kernel_size: int,
        max_displacement: int,
        stride_1: int = 1,
        stride_2: int = 1,
        pad: int = 0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.kernel_size = checks.integer(self, "kernel_size", kernel_size, "[1, inf)")
        if kernel_size % 2 == 0:
            raise checks.error(self, "kernel_size", "odd", kernel_size)
        self.max_displacement = checks.integer(
            self, "max_displacement", max_displacement, "[0, inf)"
        )
        self.stride_1 = checks.integer(self, "stride_1", stride_1, "[1, inf)")
        self.stride_2 = checks.integer(self, "stride_2", stride_2, "[1, inf)")
        self.pad = checks.integer(self, "pad", pad, "[0, inf)")
        steps = self.max_displacement // self.stride_2
        self._d = [self.stride_2 * i for i in range(-steps, steps + 1)]

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 2 or tuple(input_shape[0][1:]) != tuple(input_shape[1][1:]):
            rule = "two feature maps of the same shape"
            raise checks.error(self, "input_shape", rule, input_shape)
        super().build(input_shape[0])
        self.input_spec = [self.input_spec, self.input_spec]
        sizes = self.images_output_shape(self.channels_last(input_shape[0]))[1:3]
        if any(n is not None and n < 1 for n in sizes):
            rule = "of a height and width that hold a patch and its displacements"
            raise checks.error(self, "input_shape", rule, input_shape, "Set a larger `pad`.")

    def call(self, inputs: Tensor) -> Tensor:
        a, b = (self._padded(self.channels_last(ops.cast(x, self.compute_dtype))) for x in inputs)
        m = self.max_displacement
        height, width = (n - 2 * m for n in ops.shape(a)[1:3])
        a = a[:, m : m + height, m : m + width]
        c = [
            ops.mean(a * b[:, m + i : m + i + height, m + j : m + j + width], axis=-1)
            for i in self._d
            for j in self._d
        ]
        c = ops.average_pool(
            ops.stack(c, axis=-1), self.kernel_size, self.stride_1, "valid", "channels_last"
        )
        return self.own_format(c)

    def _padded(self, x):
        return ops.pad(x, [[0, 0], [self.pad, self.pad], [self.pad, self.pad], [0, 0]])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return super().compute_output_shape(input_shape[0])

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, _ = input_shape
        border = 2 * self.max_displacement + self.kernel_size - 2 * self.pad
        sizes = (None if n is None else (n - border) // self.stride_1 + 1 for n in sizes)
        return (batch, *sizes, len(self._d) ** 2)
