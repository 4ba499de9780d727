from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "DropBlock: A regularization method for convolutional networks",
        "Ghiasi, Lin, Le",
        2018,
        "https://arxiv.org/abs/1810.12890",
        "algorithm 1, equation 1",
    ),
    equation="y = x m · count(m) / sum(m),  m = 0 on the blocks of seeds ~ Bernoulli(γ)",
    tags=("identity-at-inference", "shape-preserving", "random"),
    space={"rate": Float(0.0, 0.3), "block_size": Choice(3, 5, 7)},
    example=Example({"rate": 0.25, "block_size": 3, "seed": 1}, shape=(8, 7, 4)),
)
class DropBlock2D(ImageLayer):
    """Sets contiguous squares of a feature map to zero, in every channel at other places.

    Dropping single pixels does little in a convolutional network, since neighbours carry the
    same information. Best after the convolutions and skip connections of the last stages. The
    paper raises the rate from 0 to its value in the course of training.

    Maths:
        `γ = rate / (a b) · H W / ((H - a + 1) (W - b + 1))`, with blocks of
        `a = min(block_size, H)` by `b = min(block_size, W)`; each place where a whole block
        fits is a seed with probability `γ`; `m` is 0 on the blocks of all seeds, 1 elsewhere;
        `y = x m · count(m) / sum(m)`. Blocks that overlap make the dropped share a little
        smaller than `rate`.

    Args:
        rate: Share of a map to drop, a number in [0, 1).
        block_size: Side of a block in pixels, an integer in [1, inf). 1 drops single pixels;
            a map's size or more drops whole channels.
        seed: An integer in [0, inf), or None.

    Shapes:
        Input `(batch, height, width, channels)`, height and width known; output the same.

    Behaviour:
        At inference the output is the input. In training every channel has its own blocks, and
        what remains of a sample is scaled by what was dropped of that sample.

    Example:
        The block is as large as the map, so whole channels are dropped, and the sum stays:

        >>> layer = DropBlock2D(rate=0.5, block_size=7, seed=0)
        >>> y = layer(keras.ops.ones((1, 4, 4, 50)), training=True)
        >>> whole = keras.ops.min(y, axis=(1, 2)) == keras.ops.max(y, axis=(1, 2))
        >>> round(float(keras.ops.sum(y)), 2), bool(keras.ops.all(whole))
        (800.0, True)
    """

    def __init__(
        self,
        rate: float,
        block_size: int = 7,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.rate = checks.number(self, "rate", rate, "[0, 1)")
        self.block_size = checks.integer(self, "block_size", block_size, "[1, inf)")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)

    def build_images(self, input_shape: Shape) -> None:
        self.known_sizes(input_shape)

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        if not training or self.rate == 0:
            return x
        return self.call_turned(x)

    def call_images(self, x: Tensor) -> Tensor:
        batch, H, W, channels = ops.shape(x)
        a, b = min(self.block_size, H), min(self.block_size, W)
        places = (H - a + 1) * (W - b + 1)
        γ = self.rate / (a * b) * H * W / places
        shape = (batch, H - a + 1, W - b + 1, channels)
        seeds = keras.random.uniform(shape, dtype="float32", seed=self._seed_generator) < γ
        m = 1 - _spread(ops.cast(seeds, "float32"), a, b)
        # differs from the paper's code: counted per sample, so that samples stay independent
        kept = ops.maximum(ops.mean(m, axis=(1, 2, 3), keepdims=True), 1 / (H * W * channels))
        return ops.where(m > 0, x * ops.cast(1 / kept, x.dtype), ops.zeros_like(x))


def _spread(seeds, a, b):
    """Each seed, the upper left corner of its block, over its `a` by `b` pixels.

    A square maximum is a maximum over columns of maxima over rows: a + b values, not a b.
    """
    full = ops.pad(seeds, ((0, 0), (a - 1, a - 1), (b - 1, b - 1), (0, 0)))
    for size in ((a, 1), (1, b)):
        full = ops.max_pool(full, size, strides=1, padding="valid", data_format="channels_last")
    return full
