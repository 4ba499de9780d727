"""Statistics of layer outputs for one fixed batch, reduced where they are computed."""

import contextlib
import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.types import Tensor

ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)


class ProbeActivations:
    """Calling it gives, for each layer, its statistics and each unit's largest |output|.

    The model is called as `fit` calls it, whatever kind of model it is, and what its layers put
    out is caught on the way. One function of all layers, compiled once; nothing of the model is
    changed, not even the state of a stateful layer, as it runs in a `keras.StatelessScope`.
    """

    def __init__(self, model: keras.Model, x: Tensor):
        self._model = model
        self._x = keras.tree.map_structure(ops.convert_to_tensor, x)
        self._compiled = None

    def __call__(self) -> Tensor:
        if self._compiled is None:  # not before the model is built
            self._bounds = {layer: bounds(layer) for layer in self._model.layers}
            compiled = not self._model.run_eagerly
            self._compiled = _BACKENDS[keras.backend.backend()](self._statistics, compiled)
        values = [ops.convert_to_tensor(v) for v in self._model.variables]
        statistics, found = self._compiled(values, self._x), {}
        for name, (numbers, largest) in zip(self._names, statistics, strict=True):
            kinds = ("mean", "deviation", "zeros", "saturated")[: len(numbers)]
            numbers = dict(zip(kinds, ops.convert_to_numpy(numbers).tolist(), strict=True))
            found[name] = numbers, ops.convert_to_numpy(largest)
        return found

    def _statistics(self, values, x):
        pairs = list(zip(self._model.variables, values, strict=True))
        with keras.StatelessScope(pairs), first_outputs(self._model.layers) as outputs:
            outputs[self._model] = self._model(x, training=False)
            layers = [layer for layer in self._model.layers if watched(layer, outputs.get(layer))]
            if not layers and watched(self._model, outputs[self._model]):
                layers = [self._model]  # computes with weights of its own
            self._names = [layer.name for layer in layers]
            return [
                _boil_down(outputs[layer], self._bounds.get(layer), _unit_axis(layer))
                for layer in layers
            ]


@contextlib.contextmanager
def first_outputs(layers: list[keras.layers.Layer]) -> Any:
    """Yield a dict that receives what each layer puts out when it is first called in the block."""
    outputs = {}

    def catching(layer, call):
        @functools.wraps(call)
        def caught(*args, **kwargs):
            output = call(*args, **kwargs)
            outputs.setdefault(layer, output)
            return output

        return caught

    calls = {layer: layer.call for layer in layers}
    try:
        for layer, call in calls.items():
            layer.call = catching(layer, call)
        yield outputs
    finally:
        for layer in calls:
            vars(layer).pop("call", None)


def _boil_down(a, bounds, axis):
    a = ops.cast(a, "float32")
    numbers = [ops.mean(a), ops.std(a), _share(a == 0)]
    if bounds is not None:
        low, high = bounds
        edge = 0.05 * (high - low)
        numbers.append(_share(ops.logical_or(a < low + edge, a > high - edge)))
    others = [other for other in range(len(a.shape)) if other != axis % len(a.shape)]
    return ops.stack(numbers), ops.max(ops.abs(a), axis=others)


def _unit_axis(layer):
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def watched(layer: keras.layers.Layer, output: Tensor) -> bool:
    """Return whether a layer has weights or is an activation, and put out one tensor of floats."""
    if not ops.is_tensor(output) or len(output.shape) < 2:
        return False
    floats = keras.backend.is_float_dtype(keras.backend.standardize_dtype(output.dtype))
    return floats and bool(layer.trainable_weights or isinstance(layer, ACTIVATIONS))


def bounds(layer: keras.layers.Layer) -> tuple[float, float] | None:
    """Return the bounds of a layer's activation, or None where it lacks one."""
    inside = getattr(layer, "forward_layer", layer)
    function = getattr(getattr(inside, "cell", inside), "activation", None)
    if not callable(function) or function is keras.activations.softmax:  # not elementwise
        return None
    if isinstance(function, keras.layers.Layer) and not function.built:
        return None
    try:
        ends = function(ops.convert_to_tensor([[-100.0], [100.0]]))
        ends = np.asarray(ops.convert_to_numpy(ends)).ravel()
        low, high = map(float, ends)
    except Exception:  # a function of the user's own, which wants other arguments or shapes
        return None
    return (low, high) if np.isfinite(ends).all() and low < high and max(-low, high) < 50 else None


def _share(condition):
    return ops.mean(ops.cast(condition, "float32"))


def _tensorflow(function, compiled):
    import tensorflow as tf

    return tf.function(function, autograph=False) if compiled else function


def _jax(function, compiled):
    import jax

    return jax.jit(function) if compiled else function


def _torch(function, compiled):
    import torch

    return torch.no_grad()(function)


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
