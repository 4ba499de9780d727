"""The one place of the suite that knows the three backends apart."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
from keras import ops

NAME = keras.backend.backend()
COMPILES = NAME in ("tensorflow", "jax")
MODES = ("graph", "xla") if NAME == "tensorflow" else ("xla",)  # JAX compiles by XLA alone


def compiled(fn, xla: bool = False):
    """`fn` over tensors as one compiled function: a TensorFlow graph, XLA, or JAX's jit."""
    if NAME == "tensorflow":
        import tensorflow as tf

        return tf.function(fn, jit_compile=xla)
    if NAME == "jax":
        import jax

        return jax.jit(fn)
    return fn


def compiled_value_and_gradient(fn, array, xla: bool = False):
    """`value_and_gradients` of a function of one tensor, compiled as a whole."""
    if NAME == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=xla)
        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = fn(x)
            return value, tape.gradient(value, x)

    else:
        import jax

        step = jax.jit(jax.value_and_grad(fn))
    value, gradient = step(ops.convert_to_tensor(array))
    return as_numpy(value), as_numpy(ops.convert_to_tensor(gradient))


def value_and_gradients(fn, arrays):
    """The scalar `fn(*arrays)` and its gradient with respect to every array, as NumPy.

    A gradient that does not exist (None) is an array of NaN, so that no check passes it.
    """
    if NAME == "tensorflow":
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = fn(*tensors)
        gradients = tape.gradient(value, tensors)
    elif NAME == "jax":
        import jax

        tensors = [ops.convert_to_tensor(a) for a in arrays]
        value, gradients = jax.value_and_grad(lambda ts: fn(*ts))(tensors)
    else:
        import torch

        tensors = [ops.convert_to_tensor(a).clone().requires_grad_(True) for a in arrays]
        value = fn(*tensors)
        if value.requires_grad:
            gradients = torch.autograd.grad(value, tensors, allow_unused=True)
        else:
            gradients = [None] * len(tensors)
    return as_numpy(value), [
        np.full(np.shape(a), np.nan) if g is None else as_numpy(ops.convert_to_tensor(g))
        for g, a in zip(gradients, arrays, strict=True)
    ]


def as_numpy(value) -> np.ndarray:
    """Any tensor as a NumPy array in a precision that NumPy computes in."""
    value = ops.convert_to_tensor(value)
    if keras.backend.standardize_dtype(value.dtype) in ("float16", "bfloat16"):
        value = ops.cast(value, "float32")
    return ops.convert_to_numpy(value)


@contextlib.contextmanager
def float64():
    """Double precision, which JAX keeps switched off."""
    if NAME == "jax":
        import jax

        try:
            enable_x64 = jax.enable_x64
        except AttributeError:  # its place before JAX 0.8
            from jax.experimental import enable_x64
        with enable_x64(True):
            yield
    else:
        yield


# On JAX and PyTorch some of Keras's operations (`ops.mean`, `ops.matmul`) round to float32
# whatever they are given, so that differences over a tiny step drown in rounding.
_EXACT = NAME == "tensorflow"
_STEP, GRADIENT_TOLERANCE = (1e-6, (1e-4, 1e-6)) if _EXACT else (1e-3, (5e-3, 1e-3))


def directional_derivatives(fn, arrays, rng, directions: int = 3, step: float = _STEP):
    """For each array, pairs (analytic, by finite differences) along random directions."""
    _, gradients = value_and_gradients(fn, arrays)
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        pairs = []
        for _ in range(directions):
            v = rng.normal(size=array.shape)
            v /= max(np.linalg.norm(v), 1e-12)
            ends = []
            for sign in (1, -1):
                moved = [a + sign * step * v if i == j else a for j, a in enumerate(arrays)]
                ends.append(float(as_numpy(fn(*[ops.convert_to_tensor(a) for a in moved]))))
            pairs.append((float(np.sum(gradient * v)), (ends[0] - ends[1]) / (2 * step)))
        yield i, pairs
