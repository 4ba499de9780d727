"""Statistics of layer outputs for one fixed batch, reduced where they are computed."""

import keras
import numpy as np
from keras import ops

from kcatalog import checks

ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)


class ProbeActivations:
    """Calling it gives, for each layer, its statistics and each unit's largest |output|.

    One function of all layers, compiled once; nothing of the model is changed, not even the
    state of a stateful layer, as it runs in a `keras.StatelessScope`.
    """

    def __init__(self, owner, model, x):
        layers = list(watched(model))
        if not layers:
            raise checks.error(
                owner,
                "model",
                "functional or Sequential, with layers that put out one tensor of floats",
                type(model).__name__,
                "In a model of another kind only `GradientFlow` and `StepSize` see the layers.",
            )
        self._names = [layer.name for layer, _ in layers]
        self._bounds = [bounds(layer) for layer, _ in layers]
        self._axes = [_unit_axis(layer) for layer, _ in layers]
        self._observed = keras.Model(model.inputs, [output for _, output in layers])
        self._x = keras.tree.map_structure(ops.convert_to_tensor, x)
        self._compiled = _BACKENDS[keras.backend.backend()](self._statistics)

    def __call__(self):
        values = [ops.convert_to_tensor(v) for v in self._observed.variables]
        found = {}
        for name, (numbers, largest) in zip(
            self._names, self._compiled(values, self._x), strict=True
        ):
            kinds = ("mean", "deviation", "zeros", "saturated")[: len(numbers)]
            numbers = dict(zip(kinds, ops.convert_to_numpy(numbers).tolist(), strict=True))
            found[name] = numbers, ops.convert_to_numpy(largest)
        return found

    def _statistics(self, values, x):
        pairs = list(zip(self._observed.variables, values, strict=True))
        with keras.StatelessScope(pairs):
            outputs = keras.tree.flatten(self._observed(x, training=False))
            return [
                _boil_down(*each) for each in zip(outputs, self._bounds, self._axes, strict=True)
            ]


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


def watched(model):
    """(layer, its output) of layers that have weights or are activations."""
    calls = first_calls(model)
    for layer in model.layers:
        if len(outputs := calls.get(layer, ())) != 1:
            continue
        (output,) = outputs
        if len(output.shape) < 2 or not keras.backend.is_float_dtype(output.dtype):
            continue
        if layer.trainable_weights or isinstance(layer, ACTIVATIONS):
            yield layer, output


def first_calls(model):
    """Layer -> what it puts out when the model first calls it.

    `layer.output` would be that of its very first call, which may be in another model, and of a
    model inside the model it is the inner one. So the graph is walked from the model's end.
    """
    first, seen, ahead = {}, set(), list(getattr(model, "outputs", ()))
    while ahead:
        layer, call, _ = ahead.pop()._keras_history
        if (layer, call) in seen:
            continue
        seen.add((layer, call))
        node = layer._inbound_nodes[call]
        ahead += node.input_tensors
        if layer not in first or call < first[layer][0]:
            first[layer] = call, node.outputs
    return {layer: outputs for layer, (_, outputs) in first.items()}


def bounds(layer):
    """Return the bounds of a layer's activation, or None where it lacks one."""
    inside = getattr(layer, "forward_layer", layer)
    function = getattr(getattr(inside, "cell", inside), "activation", None)
    if not callable(function) or function is keras.activations.softmax:  # not elementwise
        return None
    ends = ops.convert_to_numpy(function(ops.convert_to_tensor([[-100.0], [100.0]]))).ravel()
    low, high = map(float, ends)
    return (low, high) if np.isfinite(ends).all() and low < high and max(-low, high) < 50 else None


def _share(condition):
    return ops.mean(ops.cast(condition, "float32"))


def _tensorflow(function):
    import tensorflow as tf

    return tf.function(function, autograph=False)


def _jax(function):
    import jax

    return jax.jit(function)


def _torch(function):
    import torch

    return torch.no_grad()(function)


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
