import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Int, Paper
from kcatalog.layers.attention.attention_mechanism import AttentionMechanism
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Neural Machine Translation by Jointly Learning to Align and Translate",
        "Bahdanau, Cho, Bengio",
        2015,
        "https://arxiv.org/abs/1409.0473",
        "section A.1.2",
    ),
    space={"units": Int(8, 256, log=True), "normalize": Choice(False, True)},
    example=Example({"units": 3, "normalize": True}, shape=((4,), (5, 2))),
)
class BahdanauAttention(AttentionMechanism):
    """Additive attention of a decoder's step to a memory.

    For `AttentionWrapper`, or for a loop of your own: it takes one query at a time.
    `LuongAttention` costs less per step. For all queries at once there is
    `keras.layers.AdditiveAttention`.

    Maths:
        `e = v · tanh(W q + U m)` for each position `m` of the memory, `α = softmax(e)`, and the
        context is `Σ α m`. With `normalize`, `e = g v / ‖v‖ · tanh(W q + U m + b)`.

    Args:
        normalize: Whether `v` is weight-normalized, with the learned length `g` and the bias `b`.

    Example:
        Zero kernels make all positions alike, so the context is the mean:

        >>> layer = BahdanauAttention(units=2, kernel_initializer="zeros")
        >>> context, _ = layer(ops.ones((1, 3)), ops.reshape(ops.arange(4.0), (1, 4, 1)))
        >>> print(ops.convert_to_numpy(context))
        [[1.5]]
    """

    def __init__(
        self,
        units: int,
        normalize: bool = False,
        monotonic: str | None = None,
        sigmoid_noise: float = 0.0,
        score_bias_initializer: KerasObject = "zeros",
        kernel_initializer: KerasObject = "glorot_uniform",
        kernel_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            units,
            monotonic,
            sigmoid_noise,
            score_bias_initializer,
            kernel_initializer,
            kernel_regularizer,
            kernel_constraint,
            seed,
            **kwargs,
        )
        self.normalize = checks.boolean(self, "normalize", normalize)

    def build(self, query_shape: Shape, memory_shape: Shape) -> None:
        super().build(query_shape, memory_shape)
        self._query_kernel = self._kernel("query_kernel", query_shape[-1])
        self._v = self.add_weight((self.units,), "glorot_uniform", name="scores")
        if self.normalize:
            self._g = self.add_weight(
                (), keras.initializers.Constant(1 / math.sqrt(self.units)), name="length"
            )
            self._b = self.add_weight((self.units,), "zeros", name="bias")

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        W, v = (ops.cast(w, query.dtype) for w in (self._query_kernel, self._v))
        z = keys + ops.expand_dims(ops.matmul(query, W), 1)
        if self.normalize:
            g, b = (ops.cast(w, query.dtype) for w in (self._g, self._b))
            z, v = z + b, g * v * ops.rsqrt(ops.sum(v * v) + 1e-12)
        return ops.sum(v * ops.tanh(z), axis=-1)
