"""Builds a model of Keras 3 from the config of one of Keras 2."""

from __future__ import annotations

import dataclasses
import re

import keras

from kcatalog.migrate.models import old_layers, old_objects, old_operations
from kcatalog.migrate.models.error import ModelError
from kcatalog.migrate.models.old_objects import OldObjects

_MODELS = ("Functional", "Model", "Sequential")
# other names of layers in TensorFlow Addons
_OLD_NAMES = {
    "GroupNormalization": ("InstanceNormalization",),
    "ThresholdedLinearUnit": ("TLU",),
    "EchoState": ("ESN",),
}


@dataclasses.dataclass
class Part:
    """A layer of the old model and what replaces it.

    Attributes:
        name: the old layer's name.
        old_class: its class, without package. Of a new model all that it may have been.
        layer: the new layer or model, None where none with weights is needed.
        parts: those of a nested model, in the old order.
    """

    name: str
    old_class: str | tuple[str, ...]
    layer: keras.layers.Layer | None = None
    parts: list[Part] = dataclasses.field(default_factory=list)


def rebuild(config: dict, objects: OldObjects) -> Part:
    """Return the new model, as the `layer` of a part whose parts are the old model's layers.

    Args:
        config: `class_name` and `config` of the old model.
        objects: Makes the layers.
    """
    name = old_objects.name_of(config)
    inner = config["config"]
    if name not in _MODELS or not isinstance(inner, dict) or "layers" not in inner:
        raise ModelError(
            f"The model is of the class {name}, whose code the file does not hold. Write it for "
            "Keras 3, build and save a new one, save the old one's weights as .h5, and give the "
            "new model's file by --into."
        )
    inner = {"name": "model", **inner}
    if name == "Sequential":
        return _sequential(inner, objects)
    return _Graph(inner, objects).part


def part_of(model: keras.Model) -> Part:
    """Return the parts of a new model that is to receive the weights of an old one."""
    made = Part(model.name, type(model).__name__, model)
    for layer in model.layers:
        nested = isinstance(layer, keras.Model)
        kinds = (type(layer).__name__, *_OLD_NAMES.get(type(layer).__name__, ()))
        made.parts.append(part_of(layer) if nested else Part(layer.name, kinds, layer))
    return made


def _sequential(config: dict, objects: OldObjects) -> Part:
    """Return a Sequential model, or a functional one where a layer is not a layer any more."""
    layers = list(config["layers"])
    if not layers or old_objects.name_of(layers[0]) != "InputLayer":
        shape = config.get("build_input_shape")
        first = layers[0]["config"].get("batch_input_shape") if layers else None
        if not (shape or first):
            raise ModelError(
                f"The model {config['name']!r} has never been built: its file holds no weights."
            )
        settings = {"batch_input_shape": first or shape, "dtype": "float32"}
        named = {"name": f"{config['name']}_input", **settings}
        layers.insert(0, {"class_name": "InputLayer", "config": named})
    entries, before = [], None
    for layer in layers:
        name = layer["config"].get("name") or layer["class_name"].lower()
        nodes = [] if before is None else [[[before[0], before[1], 0, {}]]]
        entries.append({**layer, "name": name, "inbound_nodes": nodes})
        before = (name, 0)
    ends = {"input_layers": [[entries[0]["name"], 0, 0]], "output_layers": [[before[0], 0, 0]]}
    graph = _Graph({**config, "layers": entries, **ends}, objects)
    if graph.plain:
        stack = [p.layer for p in graph.part.parts[1:]]
        graph.part.layer = keras.Sequential(
            [graph.part.layer.inputs[0], *stack], name=_valid(config["name"])
        )
        graph.part.layer.trainable = config.get("trainable") is not False
    graph.part.old_class = "Sequential"
    return graph.part


class _Graph:
    """Calls the layers of an old model's config on symbolic tensors, one after the other.

    Attributes:
        part: the new model.
        plain: each old layer has become one new layer.
    """

    def __init__(self, config: dict, objects: OldObjects):
        self._objects, self._outputs, self.plain = objects, {}, True
        entries = {entry["name"]: entry for entry in config["layers"]}
        self._offsets = _offsets(config, entries)
        self._parts = {name: self._part(name, entry) for name, entry in entries.items()}
        waiting = [
            (name, i, node)
            for name, entry in entries.items()
            for i, node in enumerate(entry["inbound_nodes"])
        ]
        while waiting:
            left = [job for job in waiting if not self._called(entries[job[0]], *job)]
            if len(left) == len(waiting):
                raise ModelError(
                    f"The layers of {config['name']!r} form no graph: {left[0][0]!r} has an input "
                    "that no layer gives."
                )
            waiting = left
        inputs, outputs = (self._ends(config[k]) for k in ("input_layers", "output_layers"))
        model = keras.Model(inputs, outputs, name=_valid(config["name"]))
        if config.get("trainable") is False:
            model.trainable = False
        self.part = Part(config["name"], "Functional", model, list(self._parts.values()))

    def _part(self, name: str, entry: dict) -> Part:
        kind = old_objects.name_of(entry)
        if kind in _MODELS:
            nested = rebuild(entry, self._objects)
            nested.name = name
            return nested
        part = Part(name, kind.rpartition(">")[2])
        if kind == "InputLayer":
            settings = entry["config"]
            if settings.get("ragged"):
                raise ModelError(f"Input {name!r} is ragged, which Keras 3 does not have.")
            tensor = keras.Input(
                batch_shape=settings.get("batch_input_shape") or settings["batch_shape"],
                dtype=settings.get("dtype"),
                sparse=settings.get("sparse") or False,
                name=_valid(name),
            )
            self._outputs[name, 0] = [tensor]
        return part

    def _called(self, entry: dict, name: str, i: int, node) -> bool:
        """Make one call of a layer, unless an input of it is still missing."""
        try:
            args, kwargs = self._inputs(node)
        except _Missing:
            return False
        part, kind = self._parts[name], old_objects.name_of(entry)
        config = {**entry["config"], "name": _valid(entry["config"].get("name") or name)}
        if kind == "TFOpLambda":
            y = old_operations.operation(config)(*args, **kwargs)
            self.plain = False
        elif kind in old_layers.CALLS:
            y, part.layer = old_layers.CALLS[kind](part.layer, config, args, kwargs, self._objects)
            self.plain = False
        else:
            if part.layer is None:
                part.layer = self._objects.revive({**entry, "config": config}, "layers")
            y = part.layer(*args, **kwargs)
        self._outputs[name, i] = list(y) if isinstance(y, list | tuple) else [y]
        return True

    def _inputs(self, node):
        """Return arguments of a call. A node lists what is called with, or it is a single one."""
        if node and isinstance(node[0], str):
            node = [node]
        kwargs = dict(node[0][3]) if node and len(node[0]) > 3 else {}
        kwargs = {k: self._value(v) for k, v in kwargs.items()}
        tensors = [self._first(*entry[:3]) for entry in node]
        without = ("training", "name")
        kwargs = {k: v for k, v in kwargs.items() if v is not None and k not in without}
        return ([tensors[0] if len(tensors) == 1 else tensors] if tensors else []), kwargs

    def _first(self, name, node, index):
        return index if name == "_CONSTANT_VALUE" else self._tensor(name, node, index)

    def _value(self, value):
        """Replace references to tensors in an argument by the tensors."""
        if isinstance(value, list):
            if len(value) == 3 and _refers(value) and value[0] in self._parts:
                return self._tensor(*value)
            return [self._value(v) for v in value]
        return value

    def _tensor(self, name, node, index):
        node -= self._offsets.get(name, 0)
        if (name, node) not in self._outputs:
            raise _Missing
        outputs = self._outputs[name, node]
        if index >= len(outputs):
            raise ModelError(
                f"The model uses output {index} of {name!r}, which the new layer does not have."
            )
        return outputs[index]

    def _ends(self, refs):
        """Return tensors in the structure in which a config refers to them."""
        if isinstance(refs, dict):
            return {k: self._ends(v) for k, v in refs.items()}
        if isinstance(refs, list) and len(refs) == 3 and isinstance(refs[0], str):
            return self._tensor(*refs)
        tensors = [self._ends(r) for r in refs]
        return tensors[0] if len(tensors) == 1 else tensors


class _Missing(Exception):  # noqa: N818
    """A tensor that has not been computed yet."""


def _offsets(config: dict, entries: dict) -> dict[str, int]:
    """Return how far the numbers of calls of nested models are off.

    Keras 2 counts the call that made a model, so that the first call in another one is 1.
    """
    seen = {}

    def visit(value):
        if isinstance(value, list):
            if _refers(value) and value[0] in entries:
                seen.setdefault(value[0], set()).add(value[1])
            for v in value:
                visit(v)
        elif isinstance(value, dict):
            for v in value.values():
                visit(v)

    visit([entry["inbound_nodes"] for entry in entries.values()])
    visit([config["output_layers"]])
    nested = {n for n, e in entries.items() if old_objects.name_of(e) in _MODELS}
    return {
        n: max(0, max(calls) + 1 - len(entries[n]["inbound_nodes"]))
        for n, calls in seen.items()
        if n in nested
    }


def _refers(value: list) -> bool:
    """Tell whether a list begins as a reference to a tensor: a layer, a call of it, an output."""
    return len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _valid(name: str) -> str:
    """Return a name as Keras 3 allows it."""
    return re.sub(r"/", "_", name)
