"""The gradient of a compiled model's loss on one fixed batch, with nothing of the model changed."""

from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.types import Tensor


class ProbeGradients:
    """Calling it gives pairs of a trainable variable and its gradient, as NumPy array.

    Without a loss, which a model's own `train_step` may do without, it gives none.

    Keras has no function for gradients, so each backend's own takes them, of a loss that is a
    pure function of the weights: inside `keras.StatelessScope` no variable is assigned. It is
    compiled anew when the training step is, which may then have another loss.
    """

    def __init__(
        self, model: keras.Model, x: Tensor, y: Tensor, sample_weight: Tensor | None = None
    ):
        self._model = model
        self._batch = [
            None if a is None else keras.tree.map_structure(ops.convert_to_tensor, a)
            for a in (x, y, sample_weight)
        ]
        self._train_function = self._compiled = None

    @property
    def compiled(self) -> bool:
        """Return whether it is compiled for the training step as it is now."""
        return self._compiled is not None and self._train_function is self._model.train_function

    def __call__(self) -> Any:
        if not self.compiled:
            self._train_function = self._model.train_function
            compiled = not self._model.run_eagerly
            self._compiled = _BACKENDS[keras.backend.backend()](self._loss, compiled)
        weights = [_copy(v) for v in self._model.trainable_variables]
        state = [_copy(v) for v in self._model.non_trainable_variables]
        scale = self._model.optimizer.scale_loss(ops.ones(()))
        try:
            gradients = self._compiled(weights, state, scale, *self._batch)
        except NoLossError:
            return []
        arrays = (
            np.zeros(w.shape) if g is None else as_array(ops.convert_to_tensor(g)) / as_array(scale)
            for g, w in zip(gradients, weights, strict=True)
        )
        return zip(self._model.trainable_variables, arrays, strict=True)

    def _loss(self, weights, state, scale, x, y, sample_weight):
        model = self._model
        values = [*zip(model.trainable_variables, weights, strict=True)]
        values += zip(model.non_trainable_variables, state, strict=True)
        with keras.StatelessScope(values, collect_losses=True):
            y_pred = model(x, training=True)
            own = type(model).compute_loss is not keras.Model.compute_loss
            if model.loss is None and not own and not model.losses:
                raise NoLossError
            loss = model.compute_loss(x, y, y_pred, sample_weight)
        return loss * ops.cast(scale, loss.dtype)


class NoLossError(Exception):
    """The model has no loss but in its own `train_step`."""


def as_array(tensor: Tensor) -> np.ndarray:
    """Any tensor as float64."""
    return ops.convert_to_numpy(ops.cast(ops.stop_gradient(tensor), "float32")).astype("float64")


def _copy(variable):
    return ops.copy(ops.stop_gradient(ops.convert_to_tensor(variable.value)))


def _tensorflow(loss, compiled):
    import tensorflow as tf

    def gradients(weights, *rest):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = loss(weights, *rest)
        return [
            tf.convert_to_tensor(g) if g is not None else None
            for g in tape.gradient(value, weights)
        ]

    return tf.function(gradients, autograph=False) if compiled else gradients


def _jax(loss, compiled):
    import jax

    gradients = jax.grad(loss)
    return jax.jit(gradients) if compiled else gradients


def _torch(loss, compiled):
    import torch

    def gradients(weights, *rest):
        # fork_rng: Keras's dropout draws from PyTorch's global generator
        with torch.random.fork_rng(), torch.enable_grad():
            weights = [w.requires_grad_(True) for w in weights]
            return torch.autograd.grad(loss(weights, *rest), weights, allow_unused=True)

    return gradients


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
