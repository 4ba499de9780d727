"""Loops over the steps of a sequence, and gradients stated by hand, on each backend.

`keras.ops.scan` needs the steps in front, which costs a transposed copy of all that goes in and
comes out, and `keras.ops.custom_gradient` is called differently on each backend.
"""

from collections.abc import Callable
from typing import Any

import keras

from kcatalog.types import Tensor


def scan(step: Tensor, carry: Tensor, xs: Tensor, reverse: bool = False) -> Any:
    """Run `carry, ys = step(carry, xs[:, t])` over the steps `t`; return the last carry and all ys.

    Batch first: each of `xs` is `(batch, steps, ...)`. `carry`, `xs` and `ys` are tuples of
    tensors; those in `ys` have the shapes and dtypes of those in `carry`. With `reverse` the last
    step comes first, and the outputs stay where their inputs are.

    >>> total = lambda carry, x: ((carry[0] + x[0],), (carry[0] + x[0],))
    >>> _, (sums,) = scan(total, (keras.ops.zeros((1,)),), (keras.ops.ones((1, 3)),))
    >>> [float(s) for s in sums[0]]
    [1.0, 2.0, 3.0]
    """
    return _SCANS[keras.backend.backend()](step, tuple(carry), tuple(xs), reverse)


def _tensorflow_scan(step, carry, xs, reverse):
    import tensorflow as tf

    known = xs[0].shape[1]
    steps = tf.shape(xs[0])[1] if known is None else known
    ys = tuple(tf.TensorArray(c.dtype, size=steps, element_shape=c.shape) for c in carry)

    def body(i, carry, ys):
        t = steps - 1 - i if reverse else i
        carry, y = step(carry, tuple(x[:, t] for x in xs))
        return i + 1, carry, tuple(a.write(t, v) for a, v in zip(ys, y, strict=True))

    _, carry, ys = tf.while_loop(lambda i, *_: i < steps, body, (0, carry, ys))

    def batch_first(y):
        y = tf.transpose(y, (1, 0, *range(2, len(y.shape))))
        return tf.ensure_shape(y, (y.shape[0], known, *y.shape[2:]))

    return carry, tuple(batch_first(y.stack()) for y in ys)


def _jax_scan(step, carry, xs, reverse):
    from jax import lax
    from jax import numpy as jnp

    steps = xs[0].shape[1]
    ys = tuple(jnp.zeros((c.shape[0], steps, *c.shape[1:]), c.dtype) for c in carry)

    def body(i, state):
        carry, ys = state
        t = steps - 1 - i if reverse else i
        carry, y = step(carry, tuple(lax.dynamic_index_in_dim(x, t, 1, False) for x in xs))
        ys = [lax.dynamic_update_index_in_dim(a, v, t, 1) for a, v in zip(ys, y, strict=True)]
        return tuple(carry), tuple(ys)

    return lax.fori_loop(0, steps, body, (carry, ys))


def _torch_scan(step, carry, xs, reverse):
    import torch

    outputs = []
    for x in zip(*(reversed(x.unbind(1)) if reverse else x.unbind(1) for x in xs), strict=True):
        carry, y = step(carry, x)
        outputs.append(y)
    if not outputs:
        return carry, tuple(c[:, None][:, :0] for c in carry)
    outputs = reversed(outputs) if reverse else outputs
    return carry, tuple(torch.stack(y, dim=1) for y in zip(*outputs, strict=True))


_SCANS = {"tensorflow": _tensorflow_scan, "jax": _jax_scan, "torch": _torch_scan}


def wants_few_operations(x: Tensor) -> bool:
    """Return whether to start an operation on `x` costs more than to compute it.

    That is so on accelerators, and where TensorFlow runs eagerly.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_logical_devices()
        return tf.executing_eagerly() or any(d.device_type != "CPU" for d in devices)
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    return x.device.type not in ("cpu", "meta")


def with_gradient(forward: Callable[..., Any], backward: Callable[..., Any]) -> Any:
    """Return the function `forward`, whose gradient `backward` computes.

    Both work on tuples of tensors: `ys = forward(*xs)` and
    `gradients of xs = backward(xs, ys, gradients of ys)`.

    >>> double = with_gradient(lambda x: (2 * x,), lambda xs, ys, gradients: (2 * gradients[0],))
    >>> float(double(keras.ops.ones(()))[0])
    2.0
    """
    return _GRADIENTS[keras.backend.backend()](forward, backward)


def _tensorflow_gradient(forward, backward):
    import tensorflow as tf

    @tf.custom_gradient
    def function(*xs):
        ys = forward(*xs)
        return ys, lambda *gradients: backward(xs, ys, gradients)

    return function


def _jax_gradient(forward, backward):
    import jax

    def forward_keeping(*xs):
        ys = forward(*xs)
        return ys, (xs, ys)

    function = jax.custom_vjp(forward)
    function.defvjp(forward_keeping, lambda kept, gradients: backward(*kept, gradients))
    return function


def _torch_gradient(forward, backward):
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *xs):
            ys = forward(*xs)
            ctx.save_for_backward(*xs, *ys)
            ctx.inputs = len(xs)
            return ys

        @staticmethod
        def backward(ctx, *gradients):
            kept = ctx.saved_tensors
            return backward(kept[: ctx.inputs], kept[ctx.inputs :], gradients)

    return Function.apply


_GRADIENTS = {
    "tensorflow": _tensorflow_gradient,
    "jax": _jax_gradient,
    "torch": _torch_gradient,
}
