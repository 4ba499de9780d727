"""The one place of the suite that knows the three backends apart."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.types import Tensor

NAME = keras.backend.backend()
COMPILES = NAME in ("tensorflow", "jax")
MODES = ("graph", "xla") if NAME == "tensorflow" else ("xla",)  # JAX compiles by XLA alone
# For `Model.compile` where a check is not about XLA. By default Keras on TensorFlow compiles each
# model's training by XLA, which takes longer than the check itself.
JIT = False if NAME == "tensorflow" else "auto"


# JAX compiles every eager operation by itself, for each shape anew, which takes longer than all
# that the checks compute. So what a check runs is one program there, and parts of one class made
# with the same arguments share it. `compiled_equals_eager` holds the two ways together.
_ORIGINS = weakref.WeakKeyDictionary()


def made_from(part: Any, *origin: Any):
    """Record what a part was made from: parts of equal origin share their compiled programs."""
    _ORIGINS[part] = origin
    return part


def made_like(part: Any, other: Any):
    """Give a part the origin of another, of which it is made."""
    return made_from(part, type(part), *_ORIGINS[other]) if other in _ORIGINS else part


@functools.lru_cache(maxsize=32)  # the checks of a part run one after the other
def _programs(origin: tuple[Any, ...]) -> dict[Any, Any]:
    return {}


def forget_programs() -> None:
    """Let go of all programs that checks share."""
    _programs.cache_clear()


def _program(part, name, make):
    """Return the program `name` of a part, from `make()` unless one made alike has it."""
    programs = _programs(_ORIGINS.get(part, (part,)))
    if name not in programs:
        programs[name] = make()
    return programs[name]


def call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
    """Return `fn(*args, **kwargs)` for a function without state, on JAX as one program."""
    if NAME != "jax":
        return fn(*args, **kwargs)
    import jax

    return _program(fn, "call", functools.partial(jax.jit, fn))(*args, **kwargs)


def call_layer(layer: keras.layers.Layer, x, **kwargs: Any):
    """Return `layer(x, **kwargs)` for a built layer, on JAX as one program."""
    if NAME != "jax":
        return layer(x, **kwargs)
    import jax

    def stateless(values, x, **kwargs):
        scope = keras.StatelessScope(zip(layer.variables, values, strict=True))
        with scope:  # unlike `stateless_call` it leaves the casting to `__call__`
            y = layer(x, **kwargs)
        return y, [scope.get_current_value(v) for v in layer.variables]

    make = functools.partial(jax.jit, stateless, static_argnames="training")
    y, state = _program(layer, "call_layer", make)([v.value for v in layer.variables], x, **kwargs)
    for variable, value in zip(layer.variables, state, strict=True):
        variable.assign(value)
    return y


def compiled(fn: Callable[..., Any], xla: bool = False) -> Callable[..., Any]:
    """`fn` over tensors as one compiled function: a TensorFlow graph, XLA, or JAX's jit."""
    if NAME == "tensorflow":
        import tensorflow as tf

        return tf.function(fn, jit_compile=xla, autograph=False)
    if NAME == "jax":
        import jax

        return jax.jit(fn)
    return fn


def compiled_value_and_gradient(fn: Callable[..., Any], array: Any, xla: bool = False):
    """`value_and_gradients` of a function of one tensor, compiled as a whole."""
    value, gradient = compiled_gradient(fn, xla)(ops.convert_to_tensor(array))
    return as_numpy(value), as_numpy(ops.convert_to_tensor(gradient))


def compiled_gradient(fn: Callable[..., Any], xla: bool = False):
    """Return a compiled function from a tensor to the value of `fn` and its gradient."""
    if NAME == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=xla, autograph=False)
        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = fn(x)
            return value, tape.gradient(value, x)

        return step
    import jax

    return jax.jit(jax.value_and_grad(fn))


def value_and_gradients(fn: Callable[..., Any], arrays: Any, constants: Any = (), shared=None):
    """Return the scalar `fn(*arrays, *constants)` and its gradient for every array, as NumPy.

    A gradient that does not exist (None) is zero, as JAX has it: the input does not matter.

    Args:
        fn: a function of tensors.
        arrays: what it is differentiated by.
        constants: further arguments.
        shared: the part that `fn` uses, and a name. On JAX, what was compiled for that name and
            a part made alike is used again; by default, what was compiled for `fn` itself.
    """
    if NAME == "tensorflow":
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = fn(*tensors, *constants)
        gradients = tape.gradient(value, tensors)
    elif NAME == "jax":
        import jax

        def of_list(tensors, *constants):
            return fn(*tensors, *constants)

        tensors = [ops.convert_to_tensor(a) for a in arrays]
        step = _program(
            *(shared or (fn, "gradients")), lambda: jax.jit(jax.value_and_grad(of_list))
        )
        value, gradients = step(tensors, *constants)
    else:
        import torch

        tensors = [ops.convert_to_tensor(a).clone().requires_grad_(True) for a in arrays]
        value = fn(*tensors, *constants)
        if value.requires_grad:
            gradients = torch.autograd.grad(value, tensors, allow_unused=True)
        else:
            gradients = [None] * len(tensors)
    return as_numpy(value), [
        np.zeros(np.shape(a)) if g is None else as_numpy(ops.convert_to_tensor(g))
        for g, a in zip(gradients, arrays, strict=True)
    ]


def as_numpy(value: Any) -> np.ndarray:
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


# Steps of difference quotients, each with its relative and absolute tolerance, in the order of
# trust. On JAX and PyTorch some of Keras's operations (`ops.mean`, `ops.matmul`) round to float32
# whatever they are given, so that differences over a tiny step drown in rounding; over a large one
# they cross the kinks of a ReLU.
_FINE, _COARSE = (1e-4, 1e-6), (5e-3, 1e-3)
STEPS = ((1e-3, _COARSE), (1e-2, _COARSE), (1e-4, _COARSE), (1e-6, _FINE))
if NAME == "tensorflow":
    STEPS = ((1e-6, _FINE), *STEPS[:-1])


def directional_derivatives(fn: Callable[..., Any], arrays: Any, rng: np.random.Generator):
    """For each array and a few random directions, yield `(which array, analytic, quotient)`.

    `quotient(step)` is the difference quotient along the direction.
    """

    def value(arrays):
        if NAME == "jax":  # has compiled value and gradients as one program
            return value_and_gradients(fn, arrays)[0]
        return as_numpy(fn(*[ops.convert_to_tensor(a) for a in arrays]))

    def quotient(i, v, step):
        ends = []
        for sign in (1, -1):
            moved = [a + sign * step * v if i == j else a for j, a in enumerate(arrays)]
            ends.append(float(value(moved)))
        return (ends[0] - ends[1]) / (2 * step)

    _, gradients = value_and_gradients(fn, arrays)
    directions = 3 if len(arrays) <= 6 else 1
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        for _ in range(directions):
            v = rng.normal(size=array.shape)
            v /= max(np.linalg.norm(v), 1e-12)
            yield i, float(np.sum(gradient * v)), functools.partial(quotient, i, v)
