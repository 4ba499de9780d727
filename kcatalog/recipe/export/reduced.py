"""Weights that take less room: half precision, or eight bits with a scale per channel.

Every kernel, which is every weight of two axes or more, is stored so and computed with as
float32. What is left, biases and statistics, is small and stays as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras


def float16(model: keras.Model) -> Callable:
    """A context in which the model computes with kernels that were rounded to float16."""
    import tensorflow as tf

    def stored(kernel):
        half = tf.Variable(tf.cast(kernel, tf.float16), trainable=False)
        return lambda: tf.cast(half, kernel.dtype)

    return _context(model, stored)


def int8(model: keras.Model) -> Callable:
    """A context in which the model computes with kernels of -127 to 127, times a scale."""
    import tensorflow as tf

    def stored(kernel):
        channels = kernel.ndim - 1 if kernel.shape[-1] > 1 else kernel.ndim - 2
        others = [axis for axis in range(kernel.ndim) if axis != channels]
        quantized, scale = keras.quantizers.abs_max_quantize(kernel.value, axis=others)
        quantized = tf.Variable(quantized, trainable=False)
        scale = tf.Variable(scale, trainable=False)
        return lambda: tf.cast(quantized, kernel.dtype) / scale

    return _context(model, stored)


def _context(model: keras.Model, stored: Callable) -> Callable:
    """A context in which the model's kernels are what `stored` makes of them."""
    floats = [v for v in model.variables if keras.backend.is_float_dtype(v.dtype)]
    kernels = [(v, stored(v)) for v in floats if v.ndim >= 2]

    @contextlib.contextmanager
    def weights() -> Iterator[None]:
        with keras.StatelessScope(state_mapping=[(v, restored()) for v, restored in kernels]):
            yield

    return weights
