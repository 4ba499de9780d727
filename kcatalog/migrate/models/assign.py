"""Gives the weights that a file of Keras 2 holds to the layers of a new model."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import keras
import numpy as np

from kcatalog.migrate.models.error import ModelError
from kcatalog.migrate.models.layouts import LAYOUTS, NUMBERED
from kcatalog.migrate.models.old_file import Entry, NamedWeights, PathWeights
from kcatalog.migrate.models.rebuild import Part


@dataclasses.dataclass(frozen=True)
class Link:
    """Old arrays and the new weights that they have become.

    Attributes:
        old: the arrays, with their names in the file.
        new: the weights.
        convert: makes new arrays, in the order of `new`, of a list of arrays such as `old`'s; where
            it is given None, it gives None.
    """

    old: list[Entry]
    new: list[keras.Variable]
    convert: Callable[[list], list]


def assign(model: Part, weights: NamedWeights | PathWeights) -> list[Link]:
    """Set all weights of a model. Nothing is set if an array is left over or missing."""
    if isinstance(weights, NamedWeights):
        links = _named(model, weights)
    else:
        links = _numbered_parts(model, weights, "")
    values = []
    for link in links:
        for weight, value in zip(link.new, link.convert([e.value for e in link.old]), strict=True):
            if value is None or tuple(weight.shape) != tuple(value.shape):
                shape = None if value is None else tuple(value.shape)
                raise ModelError(
                    f"{weight.path} has the shape {tuple(weight.shape)}; the file's has {shape}."
                )
            values.append((weight, value))
    found = {id(w) for w, _ in values}
    if lost := [w.path for w in model.layer.weights if id(w) not in found]:
        raise ModelError(f"The file has nothing for {', '.join(lost[:5])}.")
    for weight, value in values:
        weight.assign(value)
    return links


# --- weights by name --------------------------------------------------------------------


def _named(model: Part, weights: NamedWeights) -> list[Link]:
    layers = dict(weights.layers)
    parts = [p for p in model.parts if p.layer is not None and p.layer.weights]
    if not {p.name for p in parts} <= set(layers):  # names of a model that was written anew
        filled = [name for name, entries in layers.items() if entries]
        if len(filled) != len(parts):
            raise ModelError(
                f"The file has weights of {len(filled)} layers, the model {len(parts)} layers with "
                f"weights: {', '.join(p.name for p in parts)}."
            )
        layers = {p.name: layers[name] for p, name in zip(parts, filled, strict=True)}
    links = []
    for part in parts:
        links += _of_part(part, list(layers[part.name]))
    return links


def _of_part(part: Part, entries: list[Entry]) -> list[Link]:
    if not part.parts:
        return _of_layer(part.layer, [(e, _below(e.name, 1)) for e in entries])
    links, rest = [], entries
    for leaf in _leaves(part):
        own = [e for e in rest if e.name.split("/")[0] == leaf.name]
        if not own:  # weights that a layer makes in its constructor have its name nowhere
            own = [e for e in rest if "/" not in e.name]
        links += _of_layer(leaf.layer, [(e, _below(e.name, 1)) for e in own])
        rest = [e for e in rest if all(e is not o for o in own)]
    if rest:
        raise ModelError(f"No layer of {part.name!r} takes {rest[0].name} of the file.")
    return links


def _leaves(part: Part) -> list[Part]:
    if not part.parts:
        return [part] if part.layer is not None and part.layer.weights else []
    return [leaf for p in part.parts for leaf in _leaves(p)]


def _below(name: str, levels: int) -> str:
    """Return a name without its first levels, but at least its last."""
    parts = name.split("/")
    return "/".join(parts[min(levels, len(parts) - 1) :])


def _of_layer(layer, named: list[tuple[Entry, str]]) -> list[Link]:
    """Return links of one layer, given its arrays and their names inside of it."""
    if layout := _layout(layer, [n for _, n in named]):
        # weights of a layer that only its wrapper's first call needs
        named = [(e, n) for e, n in named if not n.startswith("data_dep_init/")]
        return [_by_layout(layer, layout, named)]
    for inner, picked in _inside(layer, named):
        if any(type(x) in LAYOUTS for x in _sublayers(inner)):
            return [
                link for inner, picked in _inside(layer, named) for link in _of_layer(inner, picked)
            ]
    return [_in_order(layer, _ordered(layer), [e for e, _ in named])]


def _layout(layer, names: list[str]):
    layout = LAYOUTS.get(type(layer))
    if isinstance(layer, keras.layers.MultiHeadAttention) and "query_kernel" not in names:
        return None  # Keras's own
    if isinstance(layer, keras.layers.SpectralNormalization) and "sn_u" not in names:
        return None
    return layout


def _inside(layer, named):
    """Return sublayers of a layer of Keras, each with the arrays that are its own."""
    if isinstance(layer, keras.layers.Bidirectional):
        for direction, inner in (
            ("forward", layer.forward_layer),
            ("backward", layer.backward_layer),
        ):
            own = [(e, _below(n, 1)) for e, n in named if n.startswith(f"{direction}_")]
            yield inner, own
    elif isinstance(layer, keras.layers.StackedRNNCells):
        pass
    elif isinstance(layer, keras.layers.RNN):
        yield layer.cell, [(e, _below(n, 1)) for e, n in named]
    elif isinstance(getattr(layer, "layer", None), keras.layers.Layer):
        yield layer.layer, named


def _sublayers(layer):
    yield layer
    for inner, _ in _inside(layer, []):
        yield from _sublayers(inner)


def _ordered(layer) -> list:
    """Return weights in the order in which Keras 2 lists those of a layer."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


# --- weights by number ------------------------------------------------------------------


def _numbered_parts(model: Part, weights: PathWeights, path: str) -> list[Link]:
    counts, links = {}, []
    for part in model.parts:
        classes = part.old_class if isinstance(part.old_class, tuple) else (part.old_class,)
        places = {}
        for name in map(_snake, classes):
            n = counts.get(name, 0)
            places[name] = f"{path}layers/{name}" + (f"_{n}" if n else "")
        name = next((n for n, p in places.items() if weights.under(p)), next(iter(places)))
        counts[name], place = counts.get(name, 0) + 1, places[name]
        if part.parts:
            links += _numbered_parts(part, weights, place + "/")
        elif part.layer is not None and part.layer.weights:
            entries = [Entry(f"{place}/{e.name}", e.value) for e in weights.under(place)]
            inner = [e.name for e in weights.under(place)]
            if not entries:
                raise ModelError(f"The file has no weights of {part.name!r} ({place}).")
            links += _of_numbered(part.layer, list(zip(entries, inner, strict=True)))
    return links


def _of_numbered(layer, named: list[tuple[Entry, str]]) -> list[Link]:
    """Return links of one layer, given its arrays and the paths to them."""
    if type(layer) in NUMBERED and not any(n.startswith("_query_dense/") for _, n in named):
        names = NUMBERED[type(layer)](layer)
        picked = [(e, names.get(n, "")) for e, n in named]
        return [_by_layout(layer, LAYOUTS[type(layer)], [(e, n) for e, n in picked if n])]
    inner = {}
    for e, n in named:
        first, _, rest = n.partition("/")
        if first != "vars":
            inner.setdefault(first, []).append((e, rest))
    links, taken = [], set()
    for name, entries in inner.items():
        sublayer = getattr(layer, name.lstrip("_"), None)
        if not isinstance(sublayer, keras.layers.Layer):
            raise ModelError(f"{type(layer).__name__} {layer.name!r} has no {name} in Keras 3.")
        links += _of_numbered(sublayer, entries)
        taken |= {id(w) for w in sublayer.weights}
    own = [e for e, n in named if n.startswith("vars/")]
    if own:
        weights = [w for w in _ordered(layer) if id(w) not in taken]
        links.insert(0, _in_order(layer, weights, own))
    return links


def _snake(name: str) -> str:
    """Return a class name as Keras writes it in paths."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


# --- links ------------------------------------------------------------------------------


def _in_order(layer, weights: list, entries: list[Entry]) -> Link:
    if len(weights) != len(entries):
        raise ModelError(
            f"{type(layer).__name__} {layer.name!r} has {len(weights)} weights; the file has "
            f"{len(entries)}: {', '.join(e.name for e in entries)}."
        )
    return Link(entries, weights, lambda arrays: arrays)


def _by_layout(layer, layout, named: list[tuple[Entry, str]]) -> Link:
    """Return the link of a layer whose arrays a layout rearranges."""
    new = layout(layer, {n: e.value for e, n in named})
    weights = [_weight(layer, name) for name in new]

    def convert(arrays):
        known = {
            n: np.full_like(e.value, e.value.dtype == bool) if a is None else a
            for (e, n), a in zip(named, arrays, strict=True)
        }
        made = layout(layer, known)
        return [np.asarray(made[name]) for name in new]

    return Link([e for e, _ in named], weights, convert)


def _weight(layer, name: str):
    """Return the weight of a layer by the end of its path."""
    found = [w for w in layer.weights if f"/{w.path}".endswith(f"/{name}")]
    if len(found) != 1:
        there = ", ".join(w.path for w in layer.weights)
        raise ModelError(f"{type(layer).__name__} {layer.name!r} has no {name!r} but {there}.")
    return found[0]
