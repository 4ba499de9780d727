"""Attention maps: what each head of each layer looks at."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from kcatalog.recipe.monitoring.pictures import canvas
from kcatalog.recipe.monitoring.pictures.lettering import readable

MOST_HEADS, MOST_NAMES = 8, 40
SCORES = "return_attention_scores"


def attends(layer: keras.Layer) -> bool:
    """Whether a layer can say what it looks at, as Keras's attention layers can."""
    return SCORES in inspect.signature(layer.call).parameters


def scores(model: keras.Model, x: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Attention scores (samples, heads, queries, keys) by layer, once for each of its calls.

    The model answers once, eagerly, as it would in prediction: with its masks and in its order,
    also where layers stand inside others. Layers that cannot be asked then are left out.
    """
    found = {}
    layers = [layer for layer in all_layers(model) if attends(layer)]
    if layers:
        with contextlib.ExitStack() as stack:
            for layer in layers:
                stack.enter_context(_overheard(layer, found))
            model(keras.ops.convert_to_tensor(x), training=False)
    return found


def all_layers(layer: keras.Layer) -> list[keras.Layer]:
    """The layers within a layer, at any depth, each once."""
    found, seen, waiting = [], set(), [layer]
    while waiting:
        for inner in _held_by(waiting.pop(0)):
            if id(inner) not in seen:
                seen.add(id(inner))
                found.append(inner)
                waiting.append(inner)
    return found


def _held_by(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layers among a layer's attributes, also those in lists and dictionaries."""
    for value in list(vars(layer).values()):
        values = value.values() if isinstance(value, dict) else value
        for one in values if isinstance(value, list | tuple | dict) else [value]:
            if isinstance(one, keras.Layer):
                yield one


def maps(attention: np.ndarray, names: Sequence[str] | None, title: str) -> np.ndarray:
    """One sample's heads (heads, queries, keys): rows look at columns, brighter is more."""
    heads = attention[:MOST_HEADS]
    columns = min(4, len(heads))
    rows = -(-len(heads) // columns)
    drawn = canvas.figure(1 + 3 * columns, 0.6 + 3 * rows)
    places = drawn.subplots(rows, columns, squeeze=False).ravel()
    for n, (axes, head) in enumerate(zip(places, heads, strict=False)):
        image = axes.imshow(head, vmin=0, vmax=max(1e-9, float(heads.max())))
        axes.set_title(f"head {n}", fontsize=9)
        for axis, steps in ((axes.yaxis, head.shape[0]), (axes.xaxis, head.shape[1])):
            if names is not None and steps == len(names) <= MOST_NAMES:
                shown = [canvas.plain(readable(c, i)) for i, c in enumerate(names)]
                axis.set_ticks(range(steps), shown, fontsize=7)
    for unused in places[len(heads) :]:
        unused.remove()
    drawn.suptitle(canvas.plain(title))
    drawn.supxlabel("looked at", fontsize=9)
    drawn.supylabel("from", fontsize=9)
    drawn.colorbar(image, ax=list(places[: len(heads)]))
    return canvas.pixels(drawn)


@contextlib.contextmanager
def _overheard(layer: keras.Layer, found: dict) -> Iterator[None]:
    """While this lasts the layer also hands out its scores; the model is none the wiser."""
    call, signature = layer.call, inspect.signature(layer.call)

    def overheard(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        if given.arguments.get(SCORES):
            answer = call(*args, **kwargs)
            found.setdefault(layer.path, []).append(_numbers(answer[1]))
            return answer
        given.arguments[SCORES] = True
        try:
            output, attention = call(*given.args, **given.kwargs)
        except ValueError:  # flash attention does not keep its scores
            return call(*args, **kwargs)
        found.setdefault(layer.path, []).append(_numbers(attention))
        return output

    layer.call = overheard
    try:
        yield
    finally:
        del layer.call


def _numbers(attention) -> np.ndarray:
    """As (samples, heads, queries, keys); layers without heads have one."""
    values = keras.ops.convert_to_numpy(keras.ops.cast(attention, "float32"))
    return values[:, None] if values.ndim == 3 else values
