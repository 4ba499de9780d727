from collections.abc import Callable
from inspect import signature
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper, Part
from kcatalog.layers.attention.attention_mechanism import AttentionMechanism
from kcatalog.layers.recurrent import stepping
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Effective Approaches to Attention-based Neural Machine Translation",
        "Luong, Pham, Manning",
        2015,
        "https://arxiv.org/abs/1508.04025",
        "sections 3.1 and 3.3",
    ),
    tags=("masking",),
    space={"output_attention": Choice(True, False)},
    example=Example(
        {
            "cell": Part("keras.layers.GRUCell", units=4),
            "attention_mechanism": Part("kcatalog.layers.LuongAttention", units=4),
            "attention_layer_size": 3,
            "return_sequences": True,
        },
        shape=((2, 2), (3, 2)),
    ),
)
class AttentionWrapper(keras.layers.Layer):
    """A recurrent layer each of whose steps attends to a memory, such as an encoder's outputs.

    For decoders: `AttentionWrapper(cell, attention)(inputs, memory, initial_state=encoder_state)`.

    Maths:
        `s', y = cell([x, a], s)`; context `c = attention(y, memory)`; `a' = c`, or with
        `attention_layer_size` `a' = φ(W [y, c])`. The output is `a'`, or `y` without
        `output_attention`.

    Args:
        cell: A Keras cell, such as `keras.layers.GRUCell` or `keras.layers.StackedRNNCells`.
        attention_mechanism: A `BahdanauAttention` or a `LuongAttention`.
        attention_layer_size: Width of `a`, an integer in [1, inf), or None for that of the memory.
        attention_layer_activation: `φ`, a Keras activation by name, or a function. Luong et al. use
            "tanh".
        output_attention: Whether the output is `a'`, or else the cell's `y`.
        return_sequences: Whether the output has every step or only the last.
        return_state: Whether to return the last states too: the cell's, `a` and the alignments.

    Shapes:
        Inputs `(batch, steps, features)` and memory `(batch, memory_steps, memory_features)`;
        output `(batch, steps, width)`, or `(batch, width)` without `return_sequences`.
        `initial_state`: the cell's states, or all that `return_state` gave. Called with
        `return_attention_scores=True`, it returns the alignments too,
        `(batch, steps, memory_steps)`, second.

    Behaviour:
        The mask of the inputs is passed on; a masked step keeps the states and repeats the output.
        Padding of the memory gets no attention. Randomness is that of cell and mechanism.

    Example:
        A cell whose output is constant sees every position alike:

        >>> import kcatalog
        >>> cell = keras.layers.GRUCell(2, kernel_initializer="zeros")
        >>> layer = AttentionWrapper(cell, kcatalog.layers.LuongAttention(2))
        >>> memory = ops.reshape(ops.arange(4.0), (1, 4, 1))
        >>> print(ops.convert_to_numpy(layer(ops.ones((1, 3, 1)), memory)))
        [[1.5]]
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        attention_mechanism: keras.layers.Layer,
        attention_layer_size: int | None = None,
        attention_layer_activation: KerasObject = "linear",
        output_attention: bool = True,
        return_sequences: bool = False,
        return_state: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cell = stepping.checked_cell(self, cell)
        name, rule = "attention_mechanism", "a BahdanauAttention or a LuongAttention"
        kind, given = AttentionMechanism, attention_mechanism
        self.attention_mechanism = checks.instance(self, name, given, kind, rule)
        self.attention_layer_size = checks.integer(
            self, "attention_layer_size", attention_layer_size, "[1, inf)", optional=True
        )
        self.attention_layer_activation = checks.activation(
            self, "attention_layer_activation", attention_layer_activation
        )
        self.output_attention = checks.boolean(self, "output_attention", output_attention)
        self.return_sequences = checks.boolean(self, "return_sequences", return_sequences)
        self.return_state = checks.boolean(self, "return_state", return_state)
        self.supports_masking = True

    def build(self, sequences_shape: Shape, memory_shape: Shape) -> None:
        checks.rank(self, sequences_shape, 3, "(batch, steps, features)")
        checks.rank(self, memory_shape, 3, "a memory (batch, memory_steps, memory_features)")
        features = checks.known_axis(self, sequences_shape, -1, "features")
        width = checks.known_axis(self, memory_shape, -1, "memory_features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        batch, size = sequences_shape[0], self.attention_layer_size or width
        output = stepping.output_size(self.cell)
        if not self.cell.built:
            self.cell.build((batch, features + size))
        if not self.attention_mechanism.built:
            self.attention_mechanism.build((batch, output), memory_shape)
        self._attention_size = size
        self._W = None
        if self.attention_layer_size:
            self._W = self.add_weight((output + width, size), "glorot_uniform", name="attention")

    def call(
        self,
        sequences: Tensor,
        memory: Tensor,
        initial_state: Any = None,
        sequences_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = False,
    ) -> Tensor:
        x = as_floats(sequences, self.compute_dtype)
        states = self.initial_states(memory, initial_state)
        attend, output_size = (
            self.over(memory, memory_mask, training),
            self.output_width(memory.shape),
        )

        def step(x, states):
            y, states = attend(x, states)
            return (ops.concatenate([y, states[-1]], -1) if return_attention_scores else y), states

        width = output_size + (ops.shape(memory)[1] if return_attention_scores else 0)
        before = ops.zeros((ops.shape(x)[0], width), self.compute_dtype)
        every = self.return_sequences or return_attention_scores
        first = ops.concatenate([x[:, 0], ops.cast(states[-2], x.dtype)], axis=-1)
        with stepping.dropout_masks(self.cell, first, states[:-2], training):
            y, states = stepping.run(step, x, states, before, sequences_mask, every)
        results = list(states) if self.return_state else []
        if return_attention_scores:
            y, scores = y[..., :output_size], y[..., output_size:]
            y, results = y if self.return_sequences else y[:, -1], [scores, *results]
        return (y, *results) if results else y

    def initial_states(self, memory: Tensor, initial_state: Any = None) -> list[Tensor]:
        """Return the states before the first step, a flat list: the cell's, `a`, the alignments."""
        batch, count = ops.shape(memory)[0], len(keras.tree.flatten(self.cell.state_size))
        given = [] if initial_state is None else keras.tree.flatten(initial_state)
        cells = given or stepping.first_states(self.cell, batch)
        if len(cells) == count:
            none = ops.zeros((batch, self._attention_size), self.compute_dtype)
            memory = ops.cast(memory, self.compute_dtype)
            return [*cells, none, self.attention_mechanism.initial_alignments(memory)]
        if len(cells) != count + 2:
            rule = f"the cell's {count} states, or these, `a` and the alignments"
            raise checks.error(self, "initial_state", rule, f"{len(cells)} tensors")
        return cells

    def over(
        self, memory: Tensor, memory_mask: Tensor | None = None, training: bool | None = False
    ) -> Callable[..., Any]:
        """Return the step over a memory: a function `(inputs, states) -> (output, states)`."""
        cell, attention, φ = self.cell, self.attention_mechanism, self.attention_layer_activation
        dtype, keys = self.compute_dtype, attention.keys(memory)
        mode = {"training": training} if "training" in signature(cell.call).parameters else {}

        def step(x, states):
            *s, a, α = states
            x = ops.concatenate([x, ops.cast(a, x.dtype)], axis=-1)
            y, after = cell(x, stepping.packed(cell, s), **mode)
            c, α = attention(y, memory, keys, α, memory_mask=memory_mask, training=training)
            y, c = ops.cast(y, dtype), ops.cast(c, dtype)
            a = c if self._W is None else φ(ops.matmul(ops.concatenate([y, c], -1), self._W))
            new = zip([*keras.tree.flatten(after), a, α], states, strict=True)
            return (a if self.output_attention else y), [ops.cast(s, old.dtype) for s, old in new]

        return step

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return mask if self.return_sequences else None

    def compute_output_shape(self, sequences_shape: Shape, memory_shape: Shape) -> Shape:
        (batch, steps, _), size = sequences_shape, self.attention_layer_size or memory_shape[-1]
        width = self.output_width(memory_shape)
        output = (batch, steps, width) if self.return_sequences else (batch, width)
        if not self.return_state:
            return output
        states = [(batch, n) for n in keras.tree.flatten(self.cell.state_size)]
        return (output, *states, (batch, size), (batch, memory_shape[1]))

    def output_width(self, memory_shape: Shape) -> int:
        """Return the width of the output for a memory of this shape."""
        size = self.attention_layer_size or memory_shape[-1]
        return size if self.output_attention else stepping.output_size(self.cell)
