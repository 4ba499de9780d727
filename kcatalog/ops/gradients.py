"""Gradients of functions of tensors: Keras has no function for them, so each backend's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from kcatalog.types import Tensor


def gradients(
    function: Callable[..., Any], tensors: Tensor, differentiable: bool = False
) -> list[Tensor]:
    """Return the gradients of the scalar `function(*tensors)`, None where a tensor has no part.

    Args:
        function: from tensors to a scalar. It reads no random numbers that it does not replay,
            and assigns no variable.
        tensors: a list of tensors.
        differentiable: True if a function of the gradients is differentiated in turn.

    >>> x = keras.ops.convert_to_tensor(3.0)
    >>> float(gradients(lambda x: x * x, [x])[0])
    6.0
    """
    return _BACKENDS[keras.backend.backend()](function, tensors, differentiable)


def _tensorflow(function, tensors, differentiable):
    import tensorflow as tf

    with tf.GradientTape() as tape:  # an outer tape records the gradient, too
        tape.watch(tensors)
        value = function(*tensors)
    found = tape.gradient(value, tensors)
    return [None if g is None else tf.convert_to_tensor(g) for g in found]


def _jax(function, tensors, differentiable):
    import jax

    return jax.grad(lambda tensors: function(*tensors))(list(tensors))


def _torch(function, tensors, differentiable):
    import torch

    with torch.enable_grad():
        tensors = [t.detach().requires_grad_() for t in tensors]
        value = function(*tensors)
        if not value.requires_grad:
            return [None] * len(tensors)
        return list(
            torch.autograd.grad(value, tensors, create_graph=differentiable, allow_unused=True)
        )


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


class RandomNumbers:
    """Random numbers as they are now, to be drawn once more: `with numbers.again(): ...`.

    Keras's seed generators keep their state in variables. On PyTorch, dropout draws from the
    backend's own generator, whose state is kept here; on the others there is nothing to keep.
    """

    def __init__(self):
        self._cpu = self._cuda = None
        if keras.backend.backend() == "torch":
            import torch

            self._cpu = torch.get_rng_state()
            self._cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw them again; afterwards the generators are as before."""
        if self._cpu is None:
            yield
            return
        import torch

        with torch.random.fork_rng():
            torch.set_rng_state(self._cpu)
            if self._cuda is not None:
                torch.cuda.set_rng_state(self._cuda)
            yield
