"""Attention maps of every head of every layer."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from kcatalog.recipe.monitoring.pictures import figures

MOST_HEADS, MOST_NAMES = 8, 40
SCORES = "return_attention_scores"


def attends(layer: keras.Layer) -> bool:
    """Return whether a layer can return its attention scores, as Keras's attention layers can."""
    return SCORES in inspect.signature(layer.call).parameters


def scores(model: keras.Model, x: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Return attention scores (samples, heads, queries, keys) by layer, one array for each call.

    The model predicts once, eagerly, with its own masks. Layers inside other layers count too;
    those that keep no scores, as with flash attention, are left out.
    """
    found = {}
    layers = [layer for layer in all_layers(model) if attends(layer)]
    if layers:
        with contextlib.ExitStack() as stack:
            for layer in layers:
                stack.enter_context(_recorded(layer, found))
            model(keras.ops.convert_to_tensor(x), training=False)
    return found


def all_layers(layer: keras.Layer) -> list[keras.Layer]:
    """Return the layers within a layer, at any depth, each once."""
    found, seen, todo = [], set(), [layer]
    while todo:
        for inner in _held_by(todo.pop(0)):
            if id(inner) not in seen:
                seen.add(id(inner))
                found.append(inner)
                todo.append(inner)
    return found


def _held_by(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Yield the layers among a layer's attributes, also those in lists and dictionaries."""
    for value in list(vars(layer).values()):
        values = value.values() if isinstance(value, dict) else value
        for one in values if isinstance(value, list | tuple | dict) else [value]:
            if isinstance(one, keras.Layer):
                yield one


def maps(attention: np.ndarray, names: Sequence[str] | None, title: str):
    """Draw the attention of one sample by head, (heads, queries, keys): rows are queries.

    Args:
        attention: scores; up to 8 heads are drawn.
        names: of the positions, or None to number them.
        title: the figure's title.
    """
    heads = attention[:MOST_HEADS]
    drawn, places = figures.grid(len(heads), 4, 3, 3, margin=1)
    shown = None if names is None else figures.readable_names(names)
    for n, (axes, head) in enumerate(zip(places, heads, strict=True)):
        image = axes.imshow(head, vmin=0, vmax=max(1e-9, float(heads.max())))
        axes.set_title(f"head {n}", fontsize=9)
        for axis, steps in ((axes.yaxis, head.shape[0]), (axes.xaxis, head.shape[1])):
            if shown is not None and steps == len(shown) <= MOST_NAMES:
                axis.set_ticks(range(steps), shown, fontsize=7)
    drawn.suptitle(figures.plain(title))
    drawn.supxlabel("key", fontsize=9)
    drawn.supylabel("query", fontsize=9)
    drawn.colorbar(image, ax=places, label="attention")
    return drawn


@contextlib.contextmanager
def _recorded(layer: keras.Layer, found: dict) -> Iterator[None]:
    """Record the layer's scores in `found` for the time being, without a change for the model."""
    call, signature = layer.call, inspect.signature(layer.call)

    def recorded(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        if given.arguments.get(SCORES):
            result = call(*args, **kwargs)
            found.setdefault(layer.path, []).append(_numbers(result[1]))
            return result
        given.arguments[SCORES] = True
        try:
            output, attention = call(*given.args, **given.kwargs)
        except ValueError:  # flash attention keeps no scores
            return call(*args, **kwargs)
        found.setdefault(layer.path, []).append(_numbers(attention))
        return output

    layer.call = recorded
    try:
        yield
    finally:
        del layer.call


def _numbers(attention) -> np.ndarray:
    """Return scores as (samples, heads, queries, keys); layers without heads have one."""
    values = keras.ops.convert_to_numpy(keras.ops.cast(attention, "float32"))
    return values[:, None] if values.ndim == 3 else values
