"""Checks for layers: half precision, gradients and extreme input."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import (
    as_layer,
    build,
    exact_gradients,
    layer_function,
    mode_of,
    moved_layer,
    repeats,
    run_layer,
)
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check

HALF = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}


@check("layers", when=repeats, variants=tuple(HALF))
def half_precision(s: Subject, policy: str) -> None:
    """Under a mixed policy the output is half precision, finite and close to float32's."""
    exact = moved_layer(s)
    with s.precision(policy) as arguments:
        layer = as_layer(s, s.make(**arguments))
        build(s, layer)
        for v, w in zip(layer.weights, exact.weights, strict=True):
            v.assign(backend.as_numpy(w))
        y = backend.call_layer(layer, ops.convert_to_tensor(s.inputs()), **mode_of(layer))
    number, wanted = run_layer(exact, s.inputs()), keras.DTypePolicy(policy).compute_dtype
    whole = not np.issubdtype(number.dtype, np.floating)  # such as ids of bins or tokens
    half = keras.backend.standardize_dtype(y.dtype) == wanted
    require(half or whole, f"output {y.dtype}, not {wanted}")
    tolerance = HALF[policy]
    scale = 1.0 if s.has_card else max(1.0, float(np.max(np.abs(number))))  # 255 of images
    close(backend.as_numpy(y), number, policy, tolerance, tolerance * scale)


@check("layers", when=lambda s: s.has_card)
def called_in_half_precision(s: Subject) -> None:
    """In a wrapper of a mixed policy, which hands it halves, a float32 layer computes the same."""
    layer, x = moved_layer(s), s.inputs()
    wrapper = keras.layers.TimeDistributed(layer, dtype="mixed_float16")
    wrapper.build((None, 1, *x.shape[1:]))
    alone, as_step = run_layer(layer, x), run_layer(wrapper, x[:, None])[:, 0]
    close(as_step, alone, "in TimeDistributed", 2e-2, 2e-2)


@check("layers")
def gradients_exact(s: Subject) -> None:
    """Gradients for input and weights are finite and equal finite differences in float64."""
    with backend.float64(), s.precision("float64") as arguments:
        rng, x = s.rng(), s.inputs(batch=3, dtype="float64")
        layer = as_layer(s, s.make(**arguments))
        build(s, layer)
        arrays = [backend.as_numpy(v) for v in layer.trainable_variables]
        arrays = [a + 0.1 * rng.normal(size=a.shape) for a in arrays]
        function = layer_function(layer, training=False)
        probe = rng.normal(size=run_layer(layer, x).shape)

        def scalar(x, *weights):
            return ops.sum(ops.multiply(function(list(weights), x), probe))

        names = ["input", *(v.path for v in layer.trainable_variables)]
        exact_gradients(scalar, [x, *arrays], rng, names)


@check("layers", variants=("zero", "huge", "tiny"))
def extreme_input(s: Subject, size: str) -> None:
    """Zero, huge and tiny input give a finite output and finite gradients."""
    layer = moved_layer(s)
    x = {"zero": 0.0, "huge": 1e4, "tiny": 1e-20}[size] * s.inputs()
    function = layer_function(layer, training=False)
    weights = [backend.as_numpy(v) for v in layer.trainable_variables]

    def scalar(x, *weights):
        return ops.mean(function(list(weights), x))

    arrays = [x.astype("float32"), *weights]
    value, gradients = backend.value_and_gradients(scalar, arrays, shared=(layer, "mean"))
    finite(value, "the output")
    for g in gradients:
        finite(g, "a gradient")
