"""Heads of models: logits or probabilities, and the way from one to the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

TINY = float(np.finfo("float32").tiny)


def head(model: keras.Model) -> str | None:
    """Return "softmax" or "sigmoid" if the model ends in that, else None."""
    for operation in reversed(getattr(model, "operations", model.layers)):
        if isinstance(operation, keras.Model):
            return head(operation)
        activation = getattr(operation, "activation", None)
        for name in ("softmax", "sigmoid"):
            if activation is getattr(keras.activations, name):
                return name
            if type(operation).__name__.lower() == name and getattr(operation, "axis", -1) == -1:
                return name
        passes = isinstance(operation, keras.layers.Identity) or (
            isinstance(operation, keras.layers.Activation)
            and activation is keras.activations.linear
        )
        if not passes:
            return None
    return None


def from_logits(model: keras.Model) -> bool | None:
    """Return the loss's `from_logits`, or None for a loss that has no such argument."""
    loss = loss_of(model)
    if isinstance(loss, keras.losses.Loss):
        return loss.get_config().get("from_logits", getattr(loss, "from_logits", None))
    if not callable(loss):
        return None
    parameter = inspect.signature(loss).parameters.get("from_logits")
    return parameter.default if parameter and isinstance(parameter.default, bool) else None


def inverse(activation: str) -> Callable[..., Any]:
    """Return the function from probabilities to logits.

    >>> p = np.array([[0.2, 0.8]])
    >>> logits = ops.convert_to_numpy(inverse("softmax")(p))
    >>> np.round(np.exp(logits), 3).tolist(), float(inverse("sigmoid")(0.5))
    ([[0.20000000298023224, 0.800000011920929]], 0.0)
    """

    def log(p):
        return ops.log(ops.maximum(p, TINY))

    def logits(p):
        p = ops.cast(p, "float32")
        return log(p) if activation == "softmax" else log(p) - log(1 - p)

    return logits


def to_contract(task, model: keras.Model, data: Any, outputs: np.ndarray) -> np.ndarray:
    """Return a model's outputs in the form that the task's methods take."""
    convert = task.conversion(model, data)
    return outputs if convert is None else ops.convert_to_numpy(convert(outputs))


def converted(task, model: keras.Model, data: Any) -> keras.Model:
    """Return the model with outputs in the form that the task's methods take."""
    convert = task.conversion(model, data)
    return model if convert is None else keras.Model(model.inputs, convert(model.outputs[0]))


def loss_of(model: keras.Model):
    """Return the loss of a model with one output, or None."""
    loss = model.loss
    if isinstance(loss, dict):
        loss = list(loss.values())
    loss = loss[0] if isinstance(loss, list | tuple) and len(loss) == 1 else loss
    return keras.losses.get(loss) if isinstance(loss, str) else loss
