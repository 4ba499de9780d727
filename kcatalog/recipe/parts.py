"""Which parts a compiled model is made of."""

from __future__ import annotations

import keras


def used_in(model: keras.Model) -> list[dict]:
    """Layers, losses, optimizers and all they hold, each with its config, in reading order."""
    found = []
    _walk(keras.saving.serialize_keras_object(model), found)
    return found


def _walk(config, found: list[dict]) -> None:
    if isinstance(config, dict):
        if "class_name" in config and isinstance(config.get("config"), dict):
            package = (config.get("registered_name") or "").rpartition(">")[0]
            kind = config.get("module") or package
            part = {"part": f"{package or kind}.{config['class_name']}", "config": config["config"]}
            is_part = "class_name" in config and not part["part"].startswith("builtins")
            if is_part and part not in found and "layers" not in config["config"]:
                found.append(part)
        for value in config.values():
            _walk(value, found)
    elif isinstance(config, list | tuple):
        for value in config:
            _walk(value, found)
