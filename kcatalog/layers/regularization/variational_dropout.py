from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks",
        "Gal, Ghahramani",
        2016,
        "https://arxiv.org/abs/1512.05287",
        "section 4.1",
    ),
    equation="y[t] = x[t] b / (1 - rate),  b ~ Bernoulli(1 - rate) per sample and feature",
    tags=("identity-at-inference", "shape-preserving", "random", "masking"),
    space={"rate": Float(0.0, 0.5)},
    example=Example({"rate": 0.25, "seed": 1}, shape=(5, 8)),
)
class VariationalDropout(keras.layers.Layer):
    """Dropout with one mask per sequence, shared by all of its steps.

    For what goes into a recurrent, temporal convolution or attention layer. Ordinary dropout
    draws anew at each step, noise that a recurrent layer averages out or accumulates. On
    `(batch, steps, features)` this is what `keras.layers.SpatialDropout1D` computes, which is
    named after another use of it; `SpatialDropout2D` and `3D` are its forms for ranks 4 and 5.
    This layer takes any rank from 3 on, and keeps the rate below 1.

    Maths:
        `y[n, t, k] = x[n, t, k] b[n, k] / (1 - rate)`, with `b[n, k]` 0 with probability
        `rate`, else 1, for every `t` (and every other axis in between).

    Args:
        rate: Probability that a feature is dropped from a sequence, a number in [0, 1).
        seed: An integer in [0, inf), or None.

    Shapes:
        Input `(batch, steps, ..., features)`, three axes or more; output the same.

    Behaviour:
        In training the mean over the draws is the input; at inference the output is the input.
        A mask is passed on; `b` does not depend on it.

    Example:
        Whole features are dropped, so all steps are alike:

        >>> layer = VariationalDropout(rate=0.75, seed=0)
        >>> y = layer(keras.ops.ones((20, 5, 4)), training=True)
        >>> float(keras.ops.max(y)), float(keras.ops.max(keras.ops.std(y, axis=1)))
        (4.0, 0.0)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = checks.number(self, "rate", rate, "[0, 1)")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3:
            axes = "(batch, steps, ..., features), three axes or more"
            raise checks.error(self, "input_shape", axes, tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(min_ndim=3)

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        if not training or self.rate == 0:
            return x
        x = as_floats(x, self.compute_dtype)
        batch, features = ops.shape(x)[0], ops.shape(x)[-1]
        one_per_sequence = (batch,) + (1,) * (len(x.shape) - 2) + (features,)
        b = keras.random.uniform(one_per_sequence, dtype="float32", seed=self._seed_generator)
        b = b >= self.rate
        return ops.where(b, x / (1 - self.rate), ops.zeros_like(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
