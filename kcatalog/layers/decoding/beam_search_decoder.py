from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper, Part
from kcatalog.layers.attention.attention_wrapper import AttentionWrapper
from kcatalog.layers.decoding.generator import Generator
from kcatalog.ops.decoding import beam_search
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Google's Neural Machine Translation System: Bridging the Gap between Human and Machine "
        "Translation",
        "Wu, Schuster, Chen, Le, Norouzi and others",
        2016,
        "https://arxiv.org/abs/1609.08144",
        "section 7",
    ),
    space={"beam_width": Int(1, 10), "length_penalty_weight": Float(0.0, 1.0)},
    example=Example(
        {
            "cell": Part("keras.layers.GRUCell", units=3),
            "embedding": Part("keras.layers.Embedding", input_dim=4, output_dim=2),
            "output_layer": Part("keras.layers.Dense", units=4),
            "max_steps": 3,
            "end_token": 0,
            "length_penalty_weight": 0.6,
        },
        shape=(2,),
        predictions="tokens",
        classes=4,
    ),
)
class BeamSearchDecoder(Generator):
    """Beam search: generates the most probable sequences that it finds.

    For translation and other tasks with one right answer. It keeps the `beam_width` best beginnings
    at each step, where a greedy choice (`beam_width=1`) keeps one. Texts that should vary come from
    `SamplingDecoder`. Train the same layers in `ScheduledSampling` first.

    Maths:
        `s(Y) = log P(Y) / ((5 + |Y|) / 6)^α + β Σ log min(Σ a, 1)`, with `α` =
        `length_penalty_weight`, `β` = `coverage_penalty_weight` and the attention `a` that each
        position of the memory got at each step; the sum is over the positions. Sequences that have
        not ended have no coverage term. `|Y|` counts the end token.

    Args:
        beam_width: How many sequences are kept at each step, an integer in [1, inf).
        length_penalty_weight: `α`, a number in [0, inf). Larger numbers favour longer sequences.
        coverage_penalty_weight: `β`, a number in [0, inf). Larger numbers favour sequences that
            attended to all of the memory. For an `AttentionWrapper`.
        return_all_beams: Whether to return all sequences, the best first, and their scores.

    Shapes:
        As above; with `return_all_beams`, ids `(batch, beam_width, max_steps)` and scores
        `(batch, beam_width)`.

    Example:
        A cell without memory of its own, whose most probable token is always 2:

        >>> import keras
        >>> cell = keras.layers.SimpleRNNCell(2, kernel_initializer="zeros")
        >>> output = keras.layers.Dense(
        ...     3, bias_initializer=keras.initializers.Constant([0.0, 1.0, 2.0])
        ... )
        >>> decoder = BeamSearchDecoder(
        ...     cell, keras.layers.Embedding(3, 1), output, max_steps=4, beam_width=2
        ... )
        >>> print(keras.ops.convert_to_numpy(decoder(keras.ops.ones((1, 1), "int32"))))
        [[2 2 2 2]]
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        embedding: keras.layers.Layer | None = None,
        output_layer: keras.layers.Layer | None = None,
        max_steps: int = 100,
        end_token: int | None = None,
        beam_width: int = 4,
        length_penalty_weight: float = 0.0,
        coverage_penalty_weight: float = 0.0,
        return_all_beams: bool = False,
        **kwargs: Any,
    ):
        super().__init__(cell, embedding, output_layer, max_steps, end_token, **kwargs)
        self.beam_width = checks.integer(self, "beam_width", beam_width, "[1, inf)")
        self.length_penalty_weight = checks.number(
            self, "length_penalty_weight", length_penalty_weight, "[0, inf)"
        )
        self.coverage_penalty_weight = checks.number(
            self, "coverage_penalty_weight", coverage_penalty_weight, "[0, inf)"
        )
        if coverage_penalty_weight and not isinstance(cell, AttentionWrapper):
            rule = "0 for a cell that is no AttentionWrapper"
            raise checks.error(self, "coverage_penalty_weight", rule, coverage_penalty_weight)
        self.return_all_beams = checks.boolean(self, "return_all_beams", return_all_beams)

    def call(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        initial_state: Any = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        last, states = self.begun(tokens, memory, initial_state, memory_mask)
        over, W = (memory, memory_mask), self.beam_width
        over = [None if x is None else ops.repeat(x, W, axis=0) for x in over]
        ids, scores = beam_search(
            self.token_step(*over),
            last,
            states,
            W,
            self.max_steps,
            self.end_token,
            self.length_penalty_weight,
            self.coverage_penalty_weight,
            lambda states: states[-1],
            memory_mask,
        )
        return (ids, scores) if self.return_all_beams else ids[:, 0]

    def compute_output_shape(self, tokens_shape: Shape, memory_shape: Shape | None = None) -> Shape:
        batch, beams = tokens_shape[0], (tokens_shape[0], self.beam_width)
        if self.return_all_beams:
            return (*beams, self.max_steps), beams
        return (batch, self.max_steps)
