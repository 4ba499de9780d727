"""Which parts a compiled model is made of."""

from __future__ import annotations

import keras


def used_in(model: keras.Model) -> list[dict]:
    """Layers, losses, metrics and the optimizer, each with its config, in reading order.

    What a part holds (a regularizer, a wrapped optimizer) stands in that part's config.
    """
    found = []
    _walk(keras.saving.serialize_keras_object(model), found)
    return found


def _walk(config, found: list[dict]) -> None:
    if isinstance(config, list | tuple):
        for value in config:
            _walk(value, found)
    elif isinstance(config, dict):
        inner = config.get("config")
        if "class_name" in config and isinstance(inner, dict) and "layers" not in inner:
            package = (config.get("registered_name") or "").rpartition(">")[0]
            module = package or config["module"]
            if ".optimizers." in module:  # PyTorch's kernels for an optimizer of Keras's
                module = "keras.optimizers"
            if config["class_name"] != "InputLayer":
                found.append({"part": f"{module}.{config['class_name']}", "config": inner})
            return
        for value in config.values():
            _walk(value, found)
