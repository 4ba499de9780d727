from collections.abc import Sequence
from typing import Any

import keras

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.layers.kernel_wrapper import KernelWrapper
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Regularization of Neural Networks using DropConnect",
        "Wan, Zeiler, Zhang, LeCun, Fergus",
        2013,
        "https://proceedings.mlr.press/v28/wan13.html",
        "section 3",
    ),
    equation="y = layer(x; W M / (1 - rate)),  M ~ Bernoulli(1 - rate) per weight",
    tags=("random", "masking"),
    space={"rate": Float(0.0, 0.7)},
    example=Example(
        {
            "layer": Part("keras.layers.Dense", units=4, kernel_initializer="ones"),
            "rate": 0.25,
            "seed": 1,
        },
        shape=(5, 3),
    ),
)
class DropConnect(KernelWrapper):
    """DropConnect: dropout of the weights of a layer instead of its outputs.

    For large dense layers, and above all for the recurrent kernel of an LSTM or GRU, where dropout
    of the state would disturb the memory: `DropConnect(keras.layers.LSTM(64),
    weight_names=("recurrent_kernel",))` is the weight-dropped LSTM of Merity et al. (2018). For a
    small layer, `keras.layers.Dropout` regularizes as well and costs less.

    Maths:
        `y = layer(x; W M / (1 - rate))`, with one `M` per weight: 0 with probability `rate`,
        else 1.

    Args:
        rate: Probability that a weight is dropped, a number in [0, 1).
        weight_names: Names of the weights that are dropped, a list or tuple. Layers name them
            `"kernel"`, `"recurrent_kernel"`, `"depthwise_kernel"` or `"pointwise_kernel"`. Layers
            inside of `layer` count.
        seed: An integer in [0, inf), or None.

    Behaviour:
        In training each call draws one `M` for the whole batch and all steps of a sequence; the
        paper draws one per sample, which takes the memory of a kernel per sample. The mean over the
        draws is the kernel, so inference calls `layer` as it is, where the paper samples its
        inputs. Regularizers and constraints see the whole kernel. `layer` computes in its own
        dtype, which this layer has by default. A mask is passed on.

    Example:
        Half of the weights of 1 are dropped and the others doubled:

        >>> layer = DropConnect(keras.layers.Dense(100, kernel_initializer="ones"), seed=0)
        >>> y = layer(keras.ops.ones((1, 1)), training=True)
        >>> y = keras.ops.convert_to_numpy(y)
        >>> float(y.min()), float(y.max())
        (0.0, 2.0)
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        rate: float = 0.5,
        weight_names: Sequence[str] = ("kernel",),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(layer, **kwargs)
        self.rate = checks.number(self, "rate", rate, "[0, 1)")
        self.weight_names = checks.names(self, "weight_names", weight_names)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        self.build_layer(input_shape)
        self.kernels(self.weight_names)

    def call(
        self, x: Tensor, training: bool | None = False, mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        values = []
        if training and self.rate > 0:
            values = [(W, self._dropped(W)) for W in self.kernels(self.weight_names)]
        return self.call_layer(values, x, mask, **kwargs)

    def _dropped(self, W):
        return keras.random.dropout(W.value, self.rate, seed=self._seed_generator)
