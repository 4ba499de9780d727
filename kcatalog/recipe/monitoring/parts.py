"""The parts of a compiled model."""

from __future__ import annotations

from typing import Any

import keras


def used_in(model: keras.Model) -> list[dict[Any, Any]]:
    """Layers, losses, metrics and the optimizer, each with its config, in reading order.

    What a part holds (a regularizer, a wrapped optimizer) stands in that part's config.
    """
    found = []
    _walk(keras.saving.serialize_keras_object(model), found)
    return found


def layers_in(config: dict[Any, Any]) -> list[dict[Any, Any]]:
    """Return the layers of a model's config; a layer's own `layers` may be a number."""
    layers = config.get("layers")
    described = isinstance(layers, list) and all(
        isinstance(layer, dict) and "class_name" in layer for layer in layers
    )
    return layers if described else []


def _walk(config, found: list[dict[Any, Any]]) -> None:
    if isinstance(config, list | tuple):
        for value in config:
            _walk(value, found)
    elif isinstance(config, dict):
        inner = config.get("config")
        if "class_name" in config and isinstance(inner, dict) and not layers_in(inner):
            package = (config.get("registered_name") or "").rpartition(">")[0]
            module = package or config["module"]
            if ".optimizers." in module:  # PyTorch's kernels for an optimizer of Keras's
                module = "keras.optimizers"
            function = ".ops." in module  # such as an addition between layers
            if config["class_name"] != "InputLayer" and not function:
                found.append({"part": f"{module}.{config['class_name']}", "config": inner})
            return
        for key, value in config.items():
            if key != "inbound_nodes":  # which tensors a model inside the model is called with
                _walk(value, found)
