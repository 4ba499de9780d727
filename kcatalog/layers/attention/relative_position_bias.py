import math
from typing import Any

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.attention.attention_bias import AttentionBias
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
        "Raffel, Shazeer, Roberts, Lee, Narang, Matena, Zhou, Li, Liu",
        2020,
        "https://arxiv.org/abs/1910.10683",
        "section 2.1",
    ),
    tags=("shape-preserving",),
    space={"num_buckets": Choice(16, 32, 64), "bidirectional": Choice(False, True)},
    example=Example({"num_buckets": 8, "max_distance": 40}, shape=(2, 5, 7)),
)
class RelativePositionBias(AttentionBias):
    """Relative position bias of T5: a trained number for each head and range of distances.

    In place of position embeddings. Small distances have a bucket of their own, larger ones share
    buckets that grow with the logarithm, and all from `max_distance` on share the last. `ALiBi` has
    no weights; `RotaryEmbedding` acts on queries and keys instead of scores.

    Maths:
        `y[h, t, s] = x[h, t, s] + B[bucket(s - t), h]`, with `B` the weight `(num_buckets, heads)`.
        Of the `n` buckets for one direction the first `e = n / 2` are distances `0` to `e - 1`;
        distance `d ≥ e` is in bucket `e + ⌊(n - e) log(d / e) / log(max_distance / e)⌋`, at most
        `n - 1`. If `bidirectional`, later keys have the second half of the buckets, with
        `n = num_buckets / 2`; else `n = num_buckets` and later keys are in bucket 0.

    Args:
        num_buckets: Number of rows of `B`, an integer in [4, inf), even.
        max_distance: The distance from which on all share a bucket, an integer in [1, inf), greater
            than `e`.
        bidirectional: Whether earlier and later keys have different buckets: True for encoders,
            False for causal attention.
        initializer: Initializer of `B`.

    Example:
        >>> layer = RelativePositionBias(num_buckets=4, max_distance=4, initializer="identity")
        >>> y = layer(ops.zeros((1, 4, 2, 2)))  # head h is 1 where the bucket is h
        >>> print(ops.convert_to_numpy(ops.argmax(y, axis=1))[0])
        [[0 3]
         [1 0]]
    """

    def __init__(
        self,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        initializer: KerasObject = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_buckets = checks.integer(self, "num_buckets", num_buckets, "[4, inf)")
        self.max_distance = checks.integer(self, "max_distance", max_distance, "[1, inf)")
        self.bidirectional = checks.boolean(self, "bidirectional", bidirectional)
        self.initializer = checks.initializer(self, "initializer", initializer)
        if num_buckets % 2:
            raise checks.error(self, "num_buckets", "even", num_buckets)
        exact = num_buckets // (4 if bidirectional else 2)
        if max_distance <= exact:
            rule = f"greater than {exact}, the distances with a bucket of their own"
            raise checks.error(self, "max_distance", rule, max_distance)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = (self.num_buckets, self.heads)
        self._B = self.add_weight(shape, self.initializer, name="embeddings")

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor | None:
        last = self.max_distance
        b = ops.take(self._B, ops.convert_to_tensor(self._buckets()), axis=0)
        distance = ops.clip(keys[None] - queries[:, None], -last, last)
        return ops.transpose(ops.take(b, distance + last, axis=0), (2, 0, 1))

    def _buckets(self):
        """Return the bucket of each distance from -max_distance to max_distance."""
        n = self.num_buckets // (2 if self.bidirectional else 1)
        e = n // 2
        earlier = np.arange(self.max_distance + 1)
        for d in range(e, self.max_distance + 1):
            share = math.log(d / e) / math.log(self.max_distance / e)
            earlier[d] = min(e + int((n - e) * share + 1e-9), n - 1)
        later = n + earlier[1:] if self.bidirectional else 0 * earlier[1:]
        return np.concatenate([earlier[::-1], later]).astype("int32")
