from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.layers.decoding.token_decoder import TokenDecoder
from kcatalog.layers.recurrent import stepping
from kcatalog.ops.sampling import draw
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks",
        "Bengio, Vinyals, Jaitly, Shazeer",
        2015,
        "https://arxiv.org/abs/1506.03099",
        "section 2.4",
    ),
    equation="x[t] = tokens[t], or with probability `rate` a draw from softmax(z[t - 1])",
    tags=("random",),
    space={"rate": Float(0.0, 0.5)},
    example=Example(
        {
            "cell": Part("keras.layers.GRUCell", units=3),
            "embedding": Part("keras.layers.Embedding", input_dim=4, output_dim=2),
            "output_layer": Part("keras.layers.Dense", units=4),
            "rate": 0.5,
        },
        shape=(3,),
        predictions="tokens",
        classes=4,
    ),
)
class ScheduledSampling(TokenDecoder):
    """Training of a decoder on right tokens, some of which are replaced by its own.

    A decoder that was trained on right tokens only (teacher forcing, `rate=0`) has never seen its
    own mistakes. Start with `rate=0`, which trains several times faster, and raise it if generated
    sequences go astray. To generate, give the same layers to a `BeamSearchDecoder` or a
    `SamplingDecoder`.

    Maths:
        The input of step `t` is `tokens[t]` with probability `1 - rate`, and otherwise drawn from
        `softmax(z[t - 1])`, the logits of the step before. The first input is always given.

    Args:
        rate: Probability to replace a token, a number in [0, 1].
        seed: Seed, an integer in [0, inf), or None.

    Shapes:
        `tokens`: the right tokens one step late, `(batch, steps)` ids whose first is the start
        token. `memory`, for an `AttentionWrapper`: `(batch, memory_steps, features)`.
        `initial_state`, optional: the cell's states. Output: logits `(batch, steps, tokens)` of the
        token that follows at each step. Called with `return_attention_scores=True`, it returns the
        attention of an `AttentionWrapper` too, `(batch, steps, memory_steps)`.

    Behaviour:
        Tokens are replaced in training only. No gradient flows through a draw. The mask of the
        memory is honoured.

    Example:
        >>> cell = keras.layers.SimpleRNNCell(2, kernel_initializer="zeros")
        >>> output = keras.layers.Dense(
        ...     3, bias_initializer=keras.initializers.Constant([0.0, 1.0, 2.0])
        ... )
        >>> layer = ScheduledSampling(cell, keras.layers.Embedding(3, 1), output, rate=0.5)
        >>> logits = layer(ops.ones((1, 4), "int32"), training=True)
        >>> print(ops.convert_to_numpy(logits)[0, 3])
        [0. 1. 2.]
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        embedding: keras.layers.Layer | None = None,
        output_layer: keras.layers.Layer | None = None,
        rate: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(cell, embedding, output_layer, **kwargs)
        self.rate = checks.number(self, "rate", rate, "[0, 1]")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)

    def call(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        initial_state: Any = None,
        memory_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = False,
    ) -> Tensor:
        tokens = ops.cast(tokens, "int32")
        states = self.first_states(tokens, memory, initial_state)
        step, first = self.cell_step(memory, memory_mask, training), self.embedded(tokens[:, 0])
        cell, count = self.cell, len(states)
        if memory is not None:
            cell, count = self.cell.cell, count - 2
            first = ops.concatenate([first, ops.cast(states[-2], first.dtype)], axis=-1)
        with stepping.dropout_masks(cell, first, states[:count], training):
            if training and self.rate > 0:
                return self._sampled(step, tokens, states)
            if not return_attention_scores:
                before = self.zeros(tokens, self._width)
                return self.logits(stepping.run(step, self.embedded(tokens), states, before)[0])
            return self._with_scores(step, tokens, states)

    def _with_scores(self, step, tokens, states):
        """Return the logits of given tokens, and the attention `(batch, steps, memory_steps)`."""

        def scored(x, states):
            y, states = step(x, states)
            return ops.concatenate([y, states[-1]], axis=-1), states

        before = self.zeros(tokens, self._width + ops.shape(states[-1])[1])
        y, _ = stepping.run(scored, self.embedded(tokens), states, before)
        return self.logits(y[..., : self._width]), y[..., self._width :]

    def _sampled(self, step, tokens, states):
        shape = ops.shape(tokens)
        replaced, uniform = (
            keras.random.uniform(shape, dtype="float32", seed=self._seed_generator)
            for _ in range(2)
        )
        replaced = ops.logical_and(replaced < self.rate, ops.arange(shape[1]) > 0)
        given = [ops.cast(x, "float32") for x in (tokens, replaced, uniform)]

        def sampling(x, states):
            token, replace, u = ops.cast(x[:, 0], "int32"), x[:, 1] > 0.5, x[:, 2]
            z, *states = states
            token = ops.where(replace, draw(ops.stop_gradient(z), u), token)
            y, states = step(self.embedded(token), states)
            z = self.logits(y)
            return z, [z, *states]

        z = self.zeros(tokens, self._tokens)
        return stepping.run(sampling, ops.stack(given, axis=-1), [z, *states], z)[0]

    def compute_output_shape(self, tokens_shape: Shape, memory_shape: Shape | None = None) -> Shape:
        return (*tokens_shape, self.logits_width(memory_shape))
