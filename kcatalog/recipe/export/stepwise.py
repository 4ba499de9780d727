"""A recurrent model with its state in and out: to read on costs the new characters alone."""

from __future__ import annotations

import re

import keras
import numpy as np
from keras import ops

AFTER = "next_"  # how the names of states begin that come out


class Refused(Exception):  # noqa: N818 - no fault: the model is not made for it
    """Why a model, or one form of it, cannot be exported: one sentence."""


class Stepwise:
    """A model whose recurrent layers begin and end where the caller says.

    `states` has the name and shape of every state, without the batch.

    Args:
        model: a functional or sequential model over (batch, steps). Its layers are used, not
            copied.

    Raises:
        Refused: the model carries no state, or one that does not suffice to go on.
    """

    def __init__(self, model: keras.Model):
        self.recurrent: dict[str, keras.layers.RNN] = {}
        self.states: dict[str, tuple[int, ...]] = {}
        self.before, self.after, self.mask, self.twice = {}, {}, None, None
        try:
            self.model = keras.models.clone_model(
                model, clone_function=self._carried, recursive=True
            )
        except ValueError as e:  # a subclassed model, whose layers nobody can exchange
            raise Refused(f"the state of {model.name} cannot be reached: {e}") from e
        if not self.states:
            raise Refused("the model has no recurrent layer, so it carries no state")

    def __call__(self, codes, before: dict, mask=None) -> tuple:
        """Outputs at every step, and the states after the last.

        Args:
            codes: (batch, steps).
            before: the states by name; zeros at the beginning.
            mask: (batch, steps), False where a step is padding, which leaves states alone.

        Raises:
            Refused: a layer is used twice.
        """
        self.before, self.after, self.mask = before, {}, mask
        try:
            outputs = self.model(codes, training=False)
            if self.twice:  # said here, as Keras rewrites what is raised inside a layer
                raise Refused(f"{self.twice} is used twice, so it has no one state")
            return outputs, {AFTER + name: self.after[name] for name in self.states}
        finally:
            self.before, self.after, self.mask = {}, {}, None  # tensors of this call

    def zeros(self, batch: int) -> dict[str, np.ndarray]:
        """The states at the beginning."""
        return {n: np.zeros((batch, *shape), "float32") for n, shape in self.states.items()}

    def check(self, whole: keras.Model, codes: np.ndarray, tolerance: float) -> None:
        """Read some text at once and in pieces: it must come to the same.

        Raises:
            Refused: it does not, so some layer looks beyond its state and the step at hand.
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
                f"reading in pieces answers otherwise than reading at once (by {difference:.2g}), "
                "as some layer looks beyond its state and the step at hand"
            )

    def _carried(self, layer):
        if isinstance(layer, keras.layers.Bidirectional):
            raise Refused(f"{layer.name} is bidirectional: it needs what comes after")
        if not isinstance(layer, keras.layers.RNN):
            return layer
        if layer.go_backwards:
            raise Refused(f"{layer.name} goes backwards: it needs what comes after")
        name = re.sub(r"\W", "_", layer.name)
        for i, state in enumerate(keras.tree.flatten(layer.get_initial_state(1))):
            self.states[f"{name}_state{i}"] = tuple(state.shape[1:])
        return _Carried(layer, name, self)


class _Carried(keras.layers.Layer):
    """A recurrent layer that begins with the states `stepwise` has, and leaves it those after."""

    def __init__(self, layer: keras.layers.RNN, key: str, stepwise: Stepwise):
        super().__init__(name=f"carried_{layer.name}", dtype=layer.dtype_policy)
        self.layer, self.key, self.stepwise = layer, key, stepwise
        self.supports_masking = layer.supports_masking

    def call(self, x, mask=None):
        carrier, layer = self.stepwise, self.layer
        states = layer.get_initial_state(ops.shape(x)[0])
        names = [f"{self.key}_state{i}" for i in range(len(keras.tree.flatten(states)))]
        if carrier.before:
            given = [ops.cast(carrier.before[n], layer.compute_dtype) for n in names]
            states = keras.tree.pack_sequence_as(states, given)  # stacked cells have them nested
        if carrier.mask is not None:
            mask = carrier.mask if mask is None else ops.logical_and(mask, carrier.mask)
        usual = layer.return_state
        layer.return_state = True
        try:
            outputs, *after = layer(x, initial_state=states, mask=mask)
        finally:
            layer.return_state = usual
        if carrier.after.keys() & set(names):
            carrier.twice = layer.name
        if carrier.before:
            after = [ops.cast(state, "float32") for state in keras.tree.flatten(after)]
            carrier.after.update(zip(names, after, strict=True))
        return outputs
