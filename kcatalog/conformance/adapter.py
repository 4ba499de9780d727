"""A layer of several inputs or outputs, or of ids, made one that the checks can try."""

from __future__ import annotations

import inspect
import math
from typing import Any, Self

import keras
from keras import ops

from kcatalog.types import Shape, Tensor


@keras.saving.register_keras_serializable("kcatalog.conformance")
class Adapter(keras.layers.Layer):
    """A layer of one float tensor around a layer that takes or gives anything else.

    The values of all its inputs stand side by side in the one it is given. Several outputs are
    joined in the same way.
    """

    def __init__(self, layer: keras.layers.Layer, shapes: Any, ids: Any = None, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # small floats hold no large ids
        self.layer = layer
        self.shapes = [tuple(shape) for shape in shapes]
        self.ids = ids

    @property
    def input_dtype(self):
        """The data type of what the layer is called with."""
        return "int32" if self.ids is not None else self.compute_dtype

    def fed(self, inputs: list[Any], **mode: Any):
        """Call the layer with as many arguments as it requires, or else with a list."""
        if len(inputs) == 1 or required_inputs(self.layer) > 1:
            return self.layer(*inputs, **mode)
        return self.layer(inputs, **mode)

    def build(self, input_shape: Shape) -> None:
        self.fed([keras.KerasTensor((None, *shape), self.input_dtype) for shape in self.shapes])

    def call(self, x, training: bool | None = None) -> Tensor:
        inputs, start = [], 0
        for shape in self.shapes:
            part = x[:, start : start + math.prod(shape)]
            start += math.prod(shape)
            if self.ids is None:
                part = ops.cast(part, self.compute_dtype)
            else:
                part = ops.cast(ops.floor(part) % self.ids, "int32")
            inputs.append(ops.reshape(part, (-1, *shape)))
        outputs = keras.tree.flatten(self.fed(inputs, training=training))
        if len(outputs) == 1:
            return outputs[0]
        flat = [ops.reshape(o, (-1, math.prod(o.shape[1:]))) for o in outputs]
        return ops.concatenate([ops.cast(o, self.compute_dtype) for o in flat], axis=-1)

    def get_config(self) -> dict[str, Any]:
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "shapes": self.shapes, "ids": self.ids}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        config.pop("autocast", None)
        return cls(layer, **config)


def required_inputs(layer: keras.layers.Layer) -> int:
    """Return how many tensors `call` cannot do without."""
    parameters = list(inspect.signature(layer.call).parameters.values())
    options = ("training", "mask", "initial_state", "states")
    return sum(
        p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in options
        for p in parameters
    )
