"""Smaller weights: half precision, or eight bits with a scale per channel.

Kernels, which are the weights with two or more axes, are stored in this form and converted to
float32 for computing. Biases and statistics are small and stay unchanged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras


def weights(model: keras.Model, kind: str) -> Callable[..., Any]:
    """Return a context in which the model's kernels are stored as "float16" or "int8"."""
    store = {"float16": _float16, "int8": _int8}[kind]
    floats = [v for v in model.variables if keras.backend.is_float_dtype(v.dtype)]
    kernels = [(v, store(v)) for v in floats if v.ndim >= 2]

    @contextlib.contextmanager
    def stored() -> Iterator[None]:
        with keras.StatelessScope(state_mapping=[(v, restored()) for v, restored in kernels]):
            yield

    return stored


def _float16(kernel) -> Callable[..., Any]:
    import tensorflow as tf

    half = tf.Variable(tf.cast(kernel, tf.float16), trainable=False)
    return lambda: tf.cast(half, kernel.dtype)


def _int8(kernel) -> Callable[..., Any]:
    import tensorflow as tf

    channels = kernel.ndim - 1 if kernel.shape[-1] > 1 else kernel.ndim - 2
    others = [axis for axis in range(kernel.ndim) if axis != channels]
    quantized, scale = keras.quantizers.abs_max_quantize(kernel.value, axis=others)
    quantized = tf.Variable(quantized, trainable=False)
    scale = tf.Variable(scale, trainable=False)
    return lambda: tf.cast(quantized, kernel.dtype) / scale
