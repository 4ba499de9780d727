"""Attention maps of every head of every layer."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import inputs
from kcatalog.recipe.monitoring.all_layers import all_layers
from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.predictions import Predictions

SAMPLES, MOST_MAPS = 3, 12  # with many attention layers, there are maps of fewer samples
MOST_HEADS, MOST_NAMES = 8, 40
SCORES = "return_attention_scores"


def maps(p: Predictions, model: keras.Model) -> Iterator[tuple[str, object]]:
    """Yield a name and a figure for each attention layer and each of some samples."""
    x, text = p.samples[0][:SAMPLES], inputs.kind(p.data.input_name).characters
    found, task = scores(model, x), tasks.of(p.data)
    for layer, calls in found.items():
        for call in calls:
            for i, heads in enumerate(call[: max(1, MOST_MAPS // len(found))]):
                names = task.positions(p.samples[0][i], p.predicted[i], p.data)
                if names is None:
                    names = [list(map(chr, x[i])) if text else []] * 2
                sample = figures.folded(p.file(i) or f"sample {i}", MOST_NAMES)
                yield f"attention/{layer}/sample {i}", _heads(heads, names, layer, sample)


def _heads(attention: np.ndarray, names, layer: str, sample: str):
    """Draw the attention (heads, queries, keys) of one sample, with the names of its positions."""
    names = [figures.readable_names(list(each)) for each in names]
    heads = attention[:MOST_HEADS]
    titles = [f"head {n}" for n in range(len(heads))]
    most = max(1e-9, float(heads.max()))
    drawn = figures.grid(heads, titles, (3, 3), ("", "", "attention"), vmin=0, vmax=most)
    for axes in drawn.axes[: len(heads)]:
        for axis, each, steps in zip((axes.yaxis, axes.xaxis), names, heads.shape[1:], strict=True):
            if steps == len(each) <= MOST_NAMES:
                axis.set_ticks(range(steps), each, fontsize=7)
    drawn.suptitle(f"{figures.plain(layer)}, {sample}")
    drawn.supxlabel("key", fontsize=9)
    drawn.supylabel("query", fontsize=9)
    return drawn


def scores(model: keras.Model, x: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Return attention scores (samples, heads, queries, keys) by layer, one array for each call.

    The model predicts once, eagerly, with its own masks. Layers inside other layers count too;
    those that keep no scores, as with flash attention, are left out.
    """
    found = {}
    attending = [
        layer for layer in all_layers(model) if SCORES in inspect.signature(layer.call).parameters
    ]
    if attending:
        with contextlib.ExitStack() as stack:
            for layer in attending:
                stack.enter_context(_recorded(layer, found))
            model(keras.ops.convert_to_tensor(x), training=False)
    return found


@contextlib.contextmanager
def _recorded(layer: keras.Layer, found: dict[Any, Any]) -> Iterator[None]:
    """Record the layer's scores in `found` for the time being, without a change for the model."""
    call, signature = layer.call, inspect.signature(layer.call)

    def recorded(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        asked = given.arguments.get(SCORES)
        given.arguments[SCORES] = True
        try:
            output, attention = call(*given.args, **given.kwargs)
        except ValueError:  # flash attention keeps no scores
            return call(*args, **kwargs)
        values = keras.ops.convert_to_numpy(keras.ops.cast(attention, "float32"))
        if values.ndim == 3:  # a layer without heads has one
            values = values[:, None]
        found.setdefault(layer.path, []).append(values)
        return (output, attention) if asked else output

    layer.call = recorded
    try:
        yield
    finally:
        del layer.call
