from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.layers.decoding.generator import Generator
from kcatalog.ops.decoding import generate
from kcatalog.ops.sampling import draw, keep_top_k, keep_top_p
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "The Curious Case of Neural Text Degeneration",
        "Holtzman, Buys, Du, Forbes, Choi",
        2020,
        "https://arxiv.org/abs/1904.09751",
        "section 3.1",
    ),
    equation="P(token) = exp(z / T) / Σ exp(z / T), over the tokens that may be drawn",
    space={"temperature": Float(0.5, 1.5)},
    example=Example(
        {
            "cell": Part("keras.layers.GRUCell", units=3),
            "embedding": Part("keras.layers.Embedding", input_dim=4, output_dim=2),
            "output_layer": Part("keras.layers.Dense", units=4),
            "max_steps": 3,
            "end_token": 0,
            "top_k": 1,
        },
        shape=(2,),
        predictions="tokens",
        classes=4,
    ),
)
class SamplingDecoder(Generator):
    """Sampling: generates sequences that vary as the model's probabilities say.

    For texts that should differ from call to call. With `temperature=0` it is greedy. The most
    probable sequence comes from `BeamSearchDecoder`. Train the same layers in `ScheduledSampling`
    first.

    Maths:
        `P(token) ∝ exp(z / T)` over the tokens that may be drawn, with logits `z` and
        `T` = `temperature`: the `top_k` most probable, and of these the fewest whose probabilities
        add up to at least `top_p`.

    Args:
        temperature: `T`, a number in [0, inf). 0 takes the most probable token.
        top_k: How many tokens may be drawn, an integer in [1, inf), or None for all.
        top_p: The probability of the tokens that may be drawn, a number in (0, 1].
        seed: Seed of the draws, an integer in [0, inf), or None.

    Behaviour:
        As above, but for the randomness: every call draws anew.

    Example:
        A cell without memory of its own, whose most probable token is always 2:

        >>> cell = keras.layers.SimpleRNNCell(2, kernel_initializer="zeros")
        >>> output = keras.layers.Dense(
        ...     3, bias_initializer=keras.initializers.Constant([0.0, 1.0, 2.0])
        ... )
        >>> decoder = SamplingDecoder(
        ...     cell, keras.layers.Embedding(3, 1), output, max_steps=4, temperature=0
        ... )
        >>> print(ops.convert_to_numpy(decoder(ops.ones((1, 1), "int32"))))
        [[2 2 2 2]]
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        embedding: keras.layers.Layer | None = None,
        output_layer: keras.layers.Layer | None = None,
        max_steps: int = 100,
        end_token: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(cell, embedding, output_layer, max_steps, end_token, **kwargs)
        self.temperature = checks.number(self, "temperature", temperature, "[0, inf)")
        self.top_k = checks.integer(self, "top_k", top_k, "[1, inf)", optional=True)
        self.top_p = checks.number(self, "top_p", top_p, "(0, 1]")
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)

    def call(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        initial_state: Any = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        step = self.token_step(memory, memory_mask)
        last, states = self.begun(tokens, memory, initial_state, memory_mask)
        if self.temperature == 0 or self.top_k == 1:
            return self._generate(step, last, states, lambda z, t: ops.argmax(z, axis=-1))
        shape = (self.max_steps, ops.shape(tokens)[0])
        uniform = keras.random.uniform(shape, dtype="float32", seed=self._seed_generator)

        def choose(z, t):
            z = ops.cast(z, "float32") / self.temperature
            z = z if self.top_k is None else keep_top_k(z, self.top_k)
            return draw(keep_top_p(z, self.top_p) if self.top_p < 1 else z, uniform[t])

        return self._generate(step, last, states, choose)

    def _generate(self, step, last, states, choose):
        return generate(step, last, states, choose, self.max_steps, self.end_token)

    def compute_output_shape(self, tokens_shape: Shape, memory_shape: Shape | None = None) -> Shape:
        return (tokens_shape[0], self.max_steps)
