"""The base of layers that generate tokens."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.decoding.token_decoder import TokenDecoder
from kcatalog.layers.recurrent import stepping
from kcatalog.types import Shape, Tensor


class Generator(TokenDecoder):
    """Base of `SamplingDecoder` and `BeamSearchDecoder`.

    Args:
        max_steps: How many tokens to generate at most, an integer in [1, inf).
        end_token: The token that ends a sequence, an integer in [0, inf), or None if none does.

    Shapes:
        `tokens`: the beginning of each sequence, `(batch, steps)` ids, such as one column of start
        tokens. `memory`, for an `AttentionWrapper`: `(batch, memory_steps, features)`.
        `initial_state`, optional: the cell's states. Output: the tokens that follow,
        `(batch, max_steps)` ids.

    Behaviour:
        Training and inference are the same, and nothing has a gradient; to train the cell, use
        `ScheduledSampling` with the same layers. The mask of the memory is honoured. The end
        token fills the rows of sequences that have ended, and the loop stops when all have. A
        result does not depend on batch-mates. `steps` must be known.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        embedding: keras.layers.Layer | None = None,
        output_layer: keras.layers.Layer | None = None,
        max_steps: int = 100,
        end_token: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(cell, embedding, output_layer, **kwargs)
        self.max_steps = checks.integer(self, "max_steps", max_steps, "[1, inf)")
        self.end_token = checks.integer(self, "end_token", end_token, "[0, inf)", optional=True)

    def build(self, tokens_shape: Shape, memory_shape: Shape | None = None) -> None:
        checks.rank(self, tokens_shape, 2, "token ids (batch, steps)")
        if not checks.known_axis(self, tokens_shape, -1, "steps"):
            raise checks.error(self, "input_shape", "at least one token", tuple(tokens_shape))
        super().build(tokens_shape, memory_shape)

    def begun(
        self, tokens: Tensor, memory: Tensor, initial_state: Any, memory_mask: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the last token of each beginning, and the states after the tokens before it."""
        states = self.first_states(tokens, memory, initial_state)
        tokens = ops.cast(tokens, "int32")
        if tokens.shape[1] > 1:
            step, none = self.token_step(memory, memory_mask), self.zeros(tokens, self._tokens)
            each = ops.expand_dims(tokens[:, :-1], -1)
            _, states = stepping.run(
                lambda x, states: step(x[:, 0], states), each, states, none, return_sequences=False
            )
        return tokens[:, -1], states
