from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel "
        "Convolutional Neural Network",
        "Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert, Wang",
        2016,
        "https://arxiv.org/abs/1609.05158",
        "equation 4",
    ),
    example=Example({"block_size": 3}, shape=(2, 3, 18)),
)
class DepthToSpace(ImageLayer):
    """Moves channels into square blocks of pixels (pixel shuffle, sub-pixel convolution).

    For upsampling after a convolution that gives `block_size²` times the channels: cheaper than a
    transposed convolution and without its checkerboards, if the kernel starts well.
    `SpaceToDepth` is the inverse.

    Maths:
        `y[s i + u, s j + v, c] = x[i, j, (u s + v) C + c]`, with `s` = `block_size` and `C` the
        number of channels that come out. The paper and PyTorch's `PixelShuffle` have the channels
        that come in in the order `c s² + u s + v`.

    Args:
        block_size: `s`, an integer in [1, inf).

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, height · s, width · s, channels / s²)`. `s²` must divide the channels.

    Behaviour:
        Training and inference are the same. Deterministic, without weights.

    Example:
        >>> import keras
        >>> x = keras.ops.reshape(keras.ops.arange(8), (1, 1, 2, 4))
        >>> print(keras.ops.convert_to_numpy(DepthToSpace(2, dtype="int32")(x))[0, :, :, 0])
        [[0 1 4 5]
         [2 3 6 7]]
    """

    def __init__(self, block_size: int = 2, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.block_size = checks.integer(self, "block_size", block_size, "[1, inf)")

    def build_images(self, input_shape: Shape) -> None:
        if input_shape[-1] % self.block_size**2:
            rule = f"of channels divisible by block_size² = {self.block_size**2}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        s = self.block_size
        batch, height, width, channels = ops.shape(x)
        y = ops.reshape(x, (batch, height, width, s, s, channels // s**2))
        y = ops.transpose(y, (0, 1, 3, 2, 4, 5))
        return ops.reshape(y, (batch, height * s, width * s, channels // s**2))

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        sizes = (n and n * self.block_size for n in sizes)
        return (batch, *sizes, channels and channels // self.block_size**2)
