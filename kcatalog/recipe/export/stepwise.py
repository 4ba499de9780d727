"""Recurrent models whose state is an input and an output.

Such a model continues a sequence by reading the new steps only.
"""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.export.check_export import AFTER


class Refused(Exception):  # noqa: N818 - not an error: the export continues without this form
    """Reason why a model cannot be exported in some form, in one sentence."""


class Stepwise:
    """A model whose recurrent layers start from given states and return their last ones.

    `states` has the name and shape of every state, without the batch axis.

    Args:
        model: a functional or sequential model of (batch, steps). Its layers are shared, not
            copied.

    Raises:
        Refused: the model has no state, or its state is not sufficient to continue.
    """

    def __init__(self, model: keras.Model):
        self.states: dict[str, tuple[int, ...]] = {}
        self.before, self.after, self.mask = {}, {}, None
        try:
            self.model = keras.models.clone_model(
                model, clone_function=self._carried, recursive=True
            )
        except ValueError as e:  # layers of a subclassed model cannot be replaced
            raise Refused(f"the state of {model.name} cannot be accessed: {e}") from e
        if not self.states:
            raise Refused("the model has no recurrent layer, and therefore no state")

    def __call__(self, codes, before: dict[Any, Any], mask=None) -> tuple[Any, ...]:
        """Return the outputs at every step, and the states after the last one.

        Args:
            codes: (batch, steps).
            before: the states by name; zeros at the beginning of a text.
            mask: (batch, steps), False for padding, which does not change states.
        """
        self.before, self.after, self.mask = before, {}, mask
        try:
            outputs = self.model(codes, training=False)
            return outputs, {AFTER + name: self.after[name] for name in self.states}
        finally:  # do not keep the tensors of this call
            self.before, self.after, self.mask = {}, {}, None

    def zeros(self, batch: int) -> dict[str, np.ndarray]:
        """Return the states at the beginning of a text."""
        return {n: np.zeros((batch, *shape), "float32") for n, shape in self.states.items()}

    def check(self, whole: keras.Model, codes: np.ndarray, tolerance: float) -> None:
        """Check that reading text in pieces gives the same outputs as reading it at once.

        Raises:
            Refused: it does not.
        """
        want = ops.convert_to_numpy(whole(codes, training=False))
        states, got, third = self.zeros(len(codes)), [], codes.shape[1] // 3
        for piece in (codes[:, :third], codes[:, third : third + 1], codes[:, third + 1 :]):
            outputs, after = self(piece, states)
            states = {name: after[AFTER + name] for name in self.states}
            got.append(ops.convert_to_numpy(outputs))
        difference = np.max(np.abs(np.concatenate(got, axis=1) - want))
        if not difference <= tolerance * max(1.0, np.max(np.abs(want))):
            raise Refused(
                f"reading in pieces changes the outputs by {difference:.2g}, "
                "because a layer looks beyond its state and the current step, or is used twice"
            )

    def _carried(self, layer):
        if isinstance(layer, keras.layers.Bidirectional):
            raise Refused(f"{layer.name} is bidirectional: it needs future steps")
        if not isinstance(layer, keras.layers.RNN):
            return layer
        if layer.go_backwards:
            raise Refused(f"{layer.name} goes backwards: it needs future steps")
        key = re.sub(r"\W", "_", layer.name)
        states = {
            f"{key}_state{i}": tuple(state.shape[1:])
            for i, state in enumerate(keras.tree.flatten(layer.get_initial_state(1)))
        }
        self.states |= states
        return _Carried(layer, list(states), self)


class _Carried(keras.layers.Layer):
    """Recurrent layer that takes its initial states from `stepwise` and returns the last to it."""

    def __init__(self, layer: keras.layers.RNN, names: list[str], stepwise: Stepwise):
        super().__init__(name=f"carried_{layer.name}", dtype=layer.dtype_policy)
        self.layer, self.names, self.stepwise = layer, names, stepwise
        self.supports_masking = layer.supports_masking

    def call(self, x, mask=None):
        carrier, layer = self.stepwise, self.layer
        states = layer.get_initial_state(ops.shape(x)[0])
        if carrier.before:
            given = [ops.cast(carrier.before[n], layer.compute_dtype) for n in self.names]
            states = keras.tree.pack_sequence_as(states, given)  # nested for stacked cells
        if carrier.mask is not None:
            mask = carrier.mask if mask is None else ops.logical_and(mask, carrier.mask)
        usual = layer.return_state
        layer.return_state = True
        try:
            outputs, *after = layer(x, initial_state=states, mask=mask)
        finally:
            layer.return_state = usual
        for name, state in zip(self.names, keras.tree.flatten(after), strict=True):
            carrier.after[name] = ops.cast(state, "float32")
        return outputs
