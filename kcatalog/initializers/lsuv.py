"""Layer-sequential unit variance: weights that fit the data, layer by layer."""

import contextlib
import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks


def lsuv(
    model: keras.Model,
    data: Any,
    tolerance: float = 0.01,
    max_iterations: int = 10,
    seed: int | keras.random.SeedGenerator | None = None,
) -> dict[str, float]:
    """Initialize a model so that each layer's output has variance 1 on a batch of data.

    Layer-sequential unit variance of [Mishkin and Matas 2015](https://arxiv.org/abs/1511.06422),
    algorithm 1. Each kernel becomes orthonormal, each bias zero; then, from the first layer to the
    last, `W ← W / √Var(x W)` until the variance is within `tolerance` of 1. Deep models without
    normalization layers then start with a signal that neither vanishes nor explodes, whatever their
    activations are. With normalization layers it gains little.

    All layers with a `kernel` and no recurrent one take part (dense and convolution layers), also
    those of nested models; others stay as they are. Variances are taken before the layer's own
    activation. Call it before `fit`, for models that were not trained yet.

    Args:
        model: A model that can be called on `data`.
        data: A batch of inputs as `model` takes it, some hundred samples.
        tolerance: The largest distance of a variance from 1, a number in (0, inf).
        max_iterations: The most times that a layer is rescaled, an integer in [1, inf).
        seed: An integer, a `keras.random.SeedGenerator`, or None for one drawn now.

    Returns:
        A dict from the path of each kernel, in the order of the calls, to the variance that its
        layer's output ends with.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(2)])
    >>> x = np.random.default_rng(0).normal(5.0, 9.0, size=(100, 4)).astype("float32")
    >>> [f"{variance:.2f}" for variance in lsuv(model, x, seed=1).values()]
    ['1.00', '1.00']
    """
    checks.instance("lsuv", "model", model, keras.Model, "a Keras model")
    checks.number("lsuv", "tolerance", tolerance, "(0, inf)")
    checks.integer("lsuv", "max_iterations", max_iterations, "[1, inf)")
    data = keras.tree.map_structure(ops.convert_to_tensor, data)
    if not model.built:
        model(data, training=False)
    layers = list(_layers(model))
    seed = keras.random.SeedGenerator(seed) if not hasattr(seed, "next") else seed
    for layer in layers:
        orthogonal = keras.initializers.Orthogonal(seed=seed)
        layer.kernel.assign(orthogonal(layer.kernel.shape, dtype=layer.kernel.dtype))
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(ops.zeros(layer.bias.shape, layer.bias.dtype))
    variances = {}
    with _rescaling(layers, variances, tolerance, max_iterations):
        model(data, training=False)
    return variances


def _layers(model):
    """Yield the layers that take part, each once."""
    seen = set()
    for layer in model.layers:
        found = _layers(layer) if isinstance(layer, keras.Model) else [layer]
        for each in found:
            kernel = getattr(each, "kernel", None)
            fits = isinstance(kernel, keras.Variable) and len(kernel.shape) > 1
            if fits and not hasattr(each, "recurrent_kernel") and id(each) not in seen:
                seen.add(id(each))
                yield each


@contextlib.contextmanager
def _rescaling(layers, variances, tolerance, max_iterations):
    """While open, each layer rescales its kernel when it is first called."""

    def with_rescaling(layer, call):
        @functools.wraps(call)
        def rescaled(*args, **kwargs):
            if layer.kernel.path not in variances:
                linear = functools.partial(_linearly, layer, call, *args, **kwargs)
                variance = _rescale(layer, linear, tolerance, max_iterations)
                variances[layer.kernel.path] = variance
            return call(*args, **kwargs)

        return rescaled

    calls = {layer: layer.call for layer in layers}
    try:
        for layer, call in calls.items():
            layer.call = with_rescaling(layer, call)
        yield
    finally:
        for layer in calls:
            vars(layer).pop("call", None)


def _linearly(layer, call, *args, **kwargs):
    """Call a layer without its activation."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return call(*args, **kwargs)
    layer.activation = keras.activations.linear
    try:
        return call(*args, **kwargs)
    finally:
        layer.activation = activation


def _rescale(layer, output, tolerance, max_iterations):
    """Rescale a layer's kernel, and return the variance that its output ends with."""
    for _ in range(max_iterations):
        variance = _variance(output())
        if not np.isfinite(variance) or variance == 0:
            raise ValueError(
                f"lsuv: the output of {layer.name} has the variance {variance} on this data. Give "
                "it more samples, or scale the inputs."
            )
        if abs(variance - 1) <= tolerance:
            return variance
        layer.kernel.assign(layer.kernel / ops.cast(variance**0.5, layer.kernel.dtype))
    return _variance(output())


def _variance(y):
    return float(np.var(ops.convert_to_numpy(ops.cast(y, "float32")).astype("float64")))
