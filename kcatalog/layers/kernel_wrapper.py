"""The base of layers that wrap another layer and compute it with other values of its kernels."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.types import Shape, Tensor


class KernelWrapper(keras.layers.Layer):
    """Base of `WeightNormalization` and `DropConnect`.

    Args:
        layer: The layer to wrap. It keeps its weights, regularizers and constraints.

    Shapes:
        Those of `layer`.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any):
        fix = "For example: keras.layers.Dense(4)."
        checks.instance(self, "layer", layer, keras.layers.Layer, "a Keras layer", fix)
        super().__init__(**{"dtype": layer.dtype_policy, "autocast": False, **kwargs})
        self.layer = layer
        self.supports_masking = layer.supports_masking

    def build_layer(self, input_shape: Shape) -> None:
        """Build the wrapped layer, and name this one where it cannot be built."""
        if self.layer.built:
            return
        try:
            self.layer.build(input_shape)
        except (TypeError, ValueError) as e:
            rule = f"a shape that {type(self.layer).__name__} can be built for"
            raise checks.error(self, "input_shape", rule, input_shape, str(e)) from e

    def kernels(self, names: Sequence[str]) -> list[keras.Variable]:
        """Return the weights of the wrapped layer, frozen or not, that have one of these names."""
        found = [w for w in self.layer.weights if w.name in names]
        if not found:
            rule = f"a layer with a weight named {' or '.join(map(repr, names))}"
            there = ", ".join(sorted({w.name for w in self.layer.weights}))
            raise checks.error(self, "layer", rule, self.layer, f"Its weights: {there or 'none'}.")
        return found

    def call_layer(
        self, values: Tensor, inputs: Tensor, mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Call the wrapped layer while some of its weights have other values.

        Args:
            values: Pairs of a weight and the tensor that stands for it in this call.
            inputs: The first argument of the call.
            mask: Passed on to a layer that takes one, like `kwargs`.
            kwargs: Further arguments of the call.
        """
        if mask is not None and "mask" in inspect.signature(self.layer.call).parameters:
            kwargs["mask"] = mask
        # of a stateful recurrent layer Keras does not count the state among the variables
        states = keras.tree.flatten(getattr(self.layer, "states", None) or [])
        assigned = [*self.layer.non_trainable_variables, *states]
        values = {id(weight): value for weight, value in values}
        state = [(v, values.get(id(v), v.value)) for v in (*self.layer.variables, *states)]
        with keras.StatelessScope(state, collect_losses=True) as scope:
            before = [scope.get_current_value(v) for v in assigned]
            outputs = self.layer(inputs, **kwargs)
        for v, old in zip(assigned, before, strict=True):
            if (new := scope.get_current_value(v)) is not old:
                v.assign(new)
        for loss in scope.losses:
            self.add_loss(loss)
        return keras.tree.map_structure(self._cast, outputs)

    def _cast(self, y):
        """Return an output in this layer's dtype, where that was given and is not the other's."""
        floats = keras.backend.is_float_dtype(keras.backend.standardize_dtype(y.dtype))
        return ops.cast(y, self.compute_dtype) if floats else y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.compute_output_shape(input_shape)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        return self.layer.compute_mask(inputs, previous_mask)
