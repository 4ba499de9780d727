from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Deep Networks with Stochastic Depth",
        "Huang, Sun, Liu, Sedra, Weinberger",
        2016,
        "https://arxiv.org/abs/1603.09382",
        "equations 2 and 5",
    ),
    equation="y = b x / (1 - rate),  b ~ Bernoulli(1 - rate) per sample",
    tags=("identity-at-inference", "shape-preserving", "random", "masking"),
    space={"rate": Float(0.0, 0.5), "scale_at": Choice("training")},
    example=Example({"rate": 0.25, "seed": 1}, shape=(4, 3)),
)
class StochasticDepth(keras.layers.Layer):
    """Drops a whole residual branch for some samples of a batch.

    Put it at the end of a branch, before the sum: `x + StochasticDepth(rate)(branch(x))`. A
    sample whose branch is dropped passes the block unchanged, so it trains a shallower network.
    For deep residual networks; the paper lets the rate grow evenly from 0 at the first block to
    its largest value at the last.

    Maths:
        `y = b x / (1 - rate)`, with one `b` per sample: 0 with probability `rate`, else 1.

    Args:
        rate: Probability that a sample's branch is dropped, a number in [0, 1).
        seed: An integer in [0, inf), or None.
        scale_at: `"training"`, or `"inference"` as in the paper: `y = b x` in training, and
            `(1 - rate) x` at inference. For weights that were trained in that way.

    Shapes:
        Input `(batch, ...)`, output the same. Also `[shortcut, branch]`: the output is their sum,
        with the branch dropped or not.

    Behaviour:
        In training the mean over the draws is the input; at inference the output is the input.
        A mask is passed on.

    Example:
        What is not dropped is divided by the probability of being kept:

        >>> layer = StochasticDepth(rate=0.75, seed=0)
        >>> y = layer(keras.ops.ones((100, 2)), training=True)
        >>> float(keras.ops.max(y)), float(keras.ops.min(y))
        (4.0, 0.0)
    """

    def __init__(
        self, rate: float = 0.5, seed: int | None = None, scale_at: str = "training", **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.rate = checks.number(self, "rate", rate, "[0, 1)")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self.scale_at = checks.choice(self, "scale_at", scale_at, ("training", "inference"))
        self._seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        if isinstance(x, list | tuple):
            shortcut, branch = x
            return shortcut + self._drop(branch, training)
        return self._drop(x, training)

    def _drop(self, x, training):
        if self.rate == 0:
            return x
        if not training:
            return x if self.scale_at == "training" else x * (1 - self.rate)
        x = as_floats(x, self.compute_dtype)
        one_per_sample = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        b = keras.random.uniform(one_per_sample, dtype="float32", seed=self._seed_generator)
        b = b >= self.rate
        if self.scale_at == "training":
            x = x / (1 - self.rate)  # differs from the paper, which multiplies at inference
        return ops.where(b, x, ops.zeros_like(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        pair = len(input_shape) > 0 and isinstance(input_shape[0], list | tuple)
        return input_shape[0] if pair else input_shape
