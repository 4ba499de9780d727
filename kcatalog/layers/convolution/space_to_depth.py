from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Frame-Recurrent Video Super-Resolution",
        "Sajjadi, Vemulapalli, Brown",
        2018,
        "https://arxiv.org/abs/1801.04590",
        "section 3.2",
    ),
    example=Example({"block_size": 3}, shape=(6, 3, 2)),
)
class SpaceToDepth(ImageLayer):
    """Moves square blocks of pixels into channels, without losing any number.

    For downsampling that keeps everything (the stem of TResNet), or to run a network at a lower
    resolution; `DepthToSpace` is the inverse.

    Maths:
        `y[i, j, (u s + v) C + c] = x[s i + u, s j + v, c]`, with `s` = `block_size` and `C` the
        number of channels. PyTorch's `PixelUnshuffle` has the channels in the order
        `c s² + u s + v`.

    Args:
        block_size: `s`, an integer in [1, inf).

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, height / s, width / s, channels · s²)`. `s` must divide height and width.

    Behaviour:
        Training and inference are the same. Deterministic, without weights.

    Example:
        >>> import keras
        >>> x = keras.ops.reshape(keras.ops.arange(8), (1, 2, 4, 1))
        >>> print(keras.ops.convert_to_numpy(SpaceToDepth(2, dtype="int32")(x))[0, 0])
        [[0 1 4 5]
         [2 3 6 7]]
    """

    def __init__(self, block_size: int = 2, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.block_size = checks.integer(self, "block_size", block_size, "[1, inf)")

    def build_images(self, input_shape: Shape) -> None:
        for size in input_shape[1:3]:
            if size is not None and size % self.block_size:
                rule = f"of a height and width divisible by block_size={self.block_size}"
                raise checks.error(self, "input_shape", rule, tuple(input_shape))

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        s = self.block_size
        batch, height, width, channels = ops.shape(x)
        y = ops.reshape(x, (batch, height // s, s, width // s, s, channels))
        y = ops.transpose(y, (0, 1, 3, 2, 4, 5))
        return ops.reshape(y, (batch, height // s, width // s, s * s * channels))

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        sizes = (n and n // self.block_size for n in sizes)
        return (batch, *sizes, channels and channels * self.block_size**2)
