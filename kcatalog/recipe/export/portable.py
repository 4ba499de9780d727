"""The trained model, bound to no hardware and, where a format needs it, to fixed lengths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from kcatalog.recipe.files import keras_file

CUDNN = ("LSTM", "GRU")  # `use_cudnn` is an argument that their own configuration leaves out


def portable(model_file: Path) -> keras.Model:
    """The model in a `.keras` file, with no layer bound to the hardware it was trained on.

    Keras's recurrent layers take cuDNN's kernels where a GPU is at hand; a graph with those
    would not run on a CPU. So the file is read as if `use_cudnn=False` had been written.
    """
    return _load(model_file, _without_cudnn)


def unrolled(model_file: Path, steps: int | None = None) -> keras.Model:
    """The same, with recurrent layers that are written out step by step, without a loop.

    Args:
        model_file: the trained model.
        steps: the length that inputs of any length get.
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
    """The types of all operations in a concrete function, and in those that it calls."""
    graph = function.graph.as_graph_def()
    return {n.op for n in graph.node} | {n.op for f in graph.library.function for n in f.node_def}


def _load(model_file: Path, change: Callable[[dict], dict]) -> keras.Model:
    """The model, read as if other settings had been written into its file."""
    return keras_file.load(model_file, lambda config: _changed(config, change))


def _changed(config, change: Callable[[dict], dict]):
    """A configuration in which `change` has seen the settings of every layer, however deep."""
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
