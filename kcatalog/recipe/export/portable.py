"""The trained model without layers that need a GPU and, for some formats, without loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from kcatalog.recipe.files import keras_file

CUDNN = ("LSTM", "GRU")  # their `get_config` omits the argument `use_cudnn`


def portable(model_file: Path) -> keras.Model:
    """Load a `.keras` file so that the model's graph runs on any hardware.

    On a GPU, Keras's recurrent layers use cuDNN's kernels, and a graph with those does not run on a
    CPU. The file is therefore read as if `use_cudnn=False` were in it.
    """
    return _load(model_file, _without_cudnn)


def unrolled(model_file: Path, steps: int | None = None) -> keras.Model:
    """Load a `.keras` file as `portable` does, with recurrent layers unrolled.

    Args:
        model_file: the trained model.
        steps: the length of inputs whose length is open.
    """

    def change(config: dict) -> dict:
        settings = _without_cudnn(config)
        if "unroll" in settings:
            settings = {**settings, "unroll": True}
        if steps and config.get("class_name") == "InputLayer":
            batch, *shape = settings["batch_shape"]
            shape = [steps if axis is None else axis for axis in shape]
            settings = {**settings, "batch_shape": [batch, *shape]}
        return settings

    return _load(model_file, change)


def operations(function) -> set[str]:
    """Return the types of all operations in a concrete function and the functions it calls."""
    graph = function.graph.as_graph_def()
    return {n.op for n in graph.node} | {n.op for f in graph.library.function for n in f.node_def}


def _load(model_file: Path, change: Callable[[dict], dict]) -> keras.Model:
    """Load the model as if `change` had been applied to the layer configurations in its file."""
    return keras_file.load(model_file, lambda config: _changed(config, change))


def _changed(config, change: Callable[[dict], dict]):
    """Return a configuration with `change` applied to every layer, at any depth."""
    if isinstance(config, list):
        return [_changed(v, change) for v in config]
    if not isinstance(config, dict):
        return config
    config = {k: _changed(v, change) for k, v in config.items()}
    if "class_name" in config and isinstance(config.get("config"), dict):
        config["config"] = change(config)
    return config


def _without_cudnn(config: dict) -> dict:
    keras_own = config["class_name"] in CUDNN and config.get("module") == "keras.layers"
    return {**config["config"], "use_cudnn": False} if keras_own else config["config"]
