"""The base of layers that run a recurrent cell over tokens: from ids to logits, step by step."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.attention.attention_wrapper import AttentionWrapper
from kcatalog.layers.recurrent import stepping
from kcatalog.types import Shape, Tensor


class TokenDecoder(keras.layers.Layer):
    """Base of `ScheduledSampling`, `SamplingDecoder` and `BeamSearchDecoder`.

    Args:
        cell: A Keras cell, such as `keras.layers.GRUCell`, an `AttentionWrapper`, or a layer of
            your own with `state_size` and `call(inputs, states)`.
        embedding: The layer from token ids to the cell's inputs, such as `keras.layers.Embedding`;
            None for a cell that takes ids.
        output_layer: The layer from the cell's outputs to logits, such as `keras.layers.Dense`;
            None for a cell that gives logits.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        embedding: keras.layers.Layer | None = None,
        output_layer: keras.layers.Layer | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        attending = isinstance(cell, AttentionWrapper)
        self.cell = cell if attending else stepping.checked_cell(self, cell)
        self.embedding = self._layer_or_none("embedding", embedding)
        self.output_layer = self._layer_or_none("output_layer", output_layer)

    def _layer_or_none(self, name, value):
        kinds = (keras.layers.Layer, type(None))
        return checks.instance(self, name, value, kinds, "a Keras layer or None")

    def build(self, tokens_shape: Shape, memory_shape: Shape | None = None) -> None:
        checks.rank(self, tokens_shape, 2, "token ids (batch, steps)")
        self.input_spec = keras.layers.InputSpec(ndim=2)
        if (memory_shape is not None) != isinstance(self.cell, AttentionWrapper):
            fix = "Give it one." if memory_shape is None else "Wrap the cell: AttentionWrapper."
            rule = "given to an AttentionWrapper, and to no other cell"
            raise checks.error(self, "memory", rule, memory_shape, fix)
        shape = (*tokens_shape, 1)[:2]
        if self.embedding is not None:
            if not self.embedding.built:
                self.embedding.build(shape)
            shape = self.embedding.compute_output_shape(shape)
        if not self.cell.built:
            over = [memory_shape] if memory_shape is not None else []
            self.cell.build(shape if over else (shape[0], *shape[2:]), *over)
        self._width = self._cell_width(memory_shape)
        if self.output_layer is not None and not self.output_layer.built:
            self.output_layer.build((None, self._width))
        self._tokens = self.logits_width(memory_shape)

    def _cell_width(self, memory_shape):
        """Return the width of the cell's outputs."""
        if memory_shape is not None:
            return self.cell.output_width(memory_shape)
        return stepping.output_size(self.cell)

    def logits_width(self, memory_shape: Shape) -> int:
        """Return how many tokens there are."""
        width = self._cell_width(memory_shape)
        if self.output_layer is None:
            return width
        return self.output_layer.compute_output_shape((None, width))[-1]

    def embedded(self, tokens: Tensor) -> Tensor:
        return tokens if self.embedding is None else self.embedding(tokens)

    def logits(self, outputs: Tensor) -> Tensor:
        z = outputs if self.output_layer is None else self.output_layer(outputs)
        return ops.cast(z, self.compute_dtype)

    def first_states(self, tokens: Tensor, memory: Tensor, initial_state: Any) -> list[Tensor]:
        """Return the states before the first token."""
        if memory is not None:
            return self.cell.initial_states(memory, initial_state)
        if initial_state is not None:
            return keras.tree.flatten(initial_state)
        return stepping.first_states(self.cell, ops.shape(tokens)[0])

    def cell_step(
        self,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Callable[..., Any]:
        """Return the cell's step, a function `(inputs, states) -> (output, states)`."""
        if memory is not None:
            return self.cell.over(memory, memory_mask, training)
        mode = {"training": training} if "training" in signature(self.cell.call).parameters else {}

        def step(x, states):
            y, after = self.cell(x, stepping.packed(self.cell, states), **mode)
            new = zip(keras.tree.flatten(after), states, strict=True)
            return y, [ops.cast(s, old.dtype) for s, old in new]

        return step

    def token_step(self, *over: Any) -> Callable[..., Any]:
        """Return a step from tokens, a function `(tokens, states) -> (logits, states)`."""
        cell = self.cell_step(*over)

        def step(tokens, states):
            y, states = cell(self.embedded(tokens), states)
            return self.logits(y), states

        return step

    def zeros(self, tokens: Tensor, width: int) -> Tensor:
        """Return an output before the first token."""
        return ops.zeros((ops.shape(tokens)[0], width), self.compute_dtype)
