"""The model's layers for TensorBoard's Graphs tab, and for its Text tab.

TensorBoard reads a Keras model's JSON. It stumbles over what Keras 3 writes there for operations
with arguments that are no tensors (`x * 2`), and loses tensors in keyword arguments and the way
into nested models, so the JSON is cut down to what it understands. What it reads is written as the
run's graph, since the tab opens with an error where there is a "conceptual" graph alone.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import keras

from kcatalog.recipe.monitoring.events import EventFile
from kcatalog.recipe.monitoring.parts import layers_in


class Graph(keras.callbacks.Callback):
    """Writes the graph of a functional or Sequential model when training begins.

    TensorBoard cuts the labels of a graph to some eight characters; a table in the Text tab has
    them in full.
    """

    def __init__(self, log_dir: Path):
        super().__init__()
        self.log_dir = log_dir

    def on_train_begin(self, logs: dict[Any, Any] | None = None) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        described = json.loads(self.model.to_json())
        if layers_in(described["config"]):
            with contextlib.closing(EventFile(self.log_dir)) as events:
                events.write(text_pb("layers", table(self.model)))
                events.add(graph_def=nodes(described).SerializeToString())


def table(model: keras.Model) -> str:
    """Write a model's layers as a Markdown table. Keras's summary cuts long names."""
    rows = ["| layer | class | output shape | parameters |", "|---|---|---|---|"]
    for layer in model.layers:
        try:
            shapes = ", ".join(str(tensor.shape) for tensor in keras.tree.flatten(layer.output))
        except (AttributeError, ValueError):  # a layer that is called several times has no one
            shapes = ""
        name, kind = f"`{layer.name}`", type(layer).__name__
        rows.append(f"| {name} | {kind} | {shapes} | {layer.count_params():,} |")
    return "\n".join([*rows, f"| | | | {model.count_params():,} |"])


def nodes(described: dict[Any, Any]):
    """Return a node for each layer, as a GraphDef, without a box around the whole model.

    Nodes name no operation: TensorBoard would put five and more of the same one, such as the
    normalizations of a model, together and apart from the rest.
    """
    from tensorboard.plugins.graph import keras_util

    graph = keras_util.keras_model_to_graph_def(drawable(described))
    around = f"{_name(described)}/"
    for node in graph.node:
        node.name = node.name.removeprefix(around)
        node.input[:] = [name.removeprefix(around) for name in node.input]
    return graph


def _name(layer: dict[Any, Any]) -> str:
    return layer["config"]["name"]


def drawable(layer: dict[Any, Any]) -> dict[Any, Any]:
    """Describe a layer, or a model with its layers, in the form that TensorBoard reads."""
    config = layer["config"]
    kept = {"name": _name(layer), "dtype": _dtype(config.get("dtype"))}
    if layers := layers_in(config):
        kept["layers"] = [drawable(inner) for inner in layers]
        if "input_layers" in config:
            kept["input_layers"] = [n for n, _, _ in _ends(config["input_layers"])]
            kept["output_layers"] = _ends(config["output_layers"])
    drawn = {"class_name": layer["class_name"], "config": kept}
    if "inbound_nodes" in layer:
        drawn["inbound_nodes"] = [{"args": _tensors(node)} for node in layer["inbound_nodes"]]
    return drawn


def _tensors(found) -> list[dict[Any, Any]]:
    """Every tensor among the arguments of a call."""
    if isinstance(found, dict):
        if found.get("class_name") == "__keras_tensor__":
            return [{"config": {"keras_history": found["config"]["keras_history"]}}]
        found = list(found.values())
    return [t for inner in found for t in _tensors(inner)] if isinstance(found, list) else []


def _ends(layers) -> list[list[Any]]:
    """[name, node, tensor] of each input or output, however they are nested."""
    if isinstance(layers, dict):
        layers = list(layers.values())
    if layers and isinstance(layers[0], str):
        return [layers]
    return [end for inner in layers for end in _ends(inner)]


def _dtype(policy) -> str | None:
    """Return the dtype policy's name."""
    name = policy["config"]["name"] if isinstance(policy, dict) else policy
    return name and name.removeprefix("mixed_")
