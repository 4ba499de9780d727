"""The base of numbers that are added to attention scores for the distance of query and key."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.types import Shape, Tensor


class AttentionBias(keras.layers.Layer):
    """Attention scores with a number added for each head and distance of query and key.

    Shapes:
        Input: scores `(batch, heads, queries, keys)` before the softmax; output the same.

    Behaviour:
        Training and inference are the same. Deterministic. Query `t` of the input has the position
        `start_index + t`, an argument of `call`, key `s` the position `s`. As `position_bias` of
        `TransformerEncoderBlock` and `TransformerDecoderBlock` it is added within Keras's fused
        attention, and decoding with a cache knows the positions.
    """

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 4, "(batch, heads, queries, keys)")
        self.heads = checks.known_axis(self, input_shape, 1, "heads")
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={1: self.heads})

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor | None:
        """Return the bias, `(heads, queries, keys)`, for the integer positions of both."""
        raise NotImplementedError

    def call(self, scores: Tensor, start_index: int = 0) -> Tensor:
        scores = ops.cast(scores, self.compute_dtype)
        _, _, queries, keys = ops.shape(scores)
        b = self.bias(start_index + ops.arange(queries), ops.arange(keys))
        return scores + ops.cast(b, scores.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
