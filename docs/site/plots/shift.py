"""Plot of a pooling layer: how its output changes as the input is shifted."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import FIRST, PALE, SECOND, figure
from kcatalog import layers
from kcatalog.conformance import backend
from kcatalog.registry import Entry

SHIFTS, SIDE, CHANNELS = range(9), 32, 8


def pooling(entry: Entry) -> bytes:
    """Draw the change of the output over the shift, beside that of max pooling by 2."""
    rank = 2 if "2D" in entry.name else 1
    size = (SIDE,) * rank
    rng = np.random.default_rng(0)
    x = np.zeros((1, *size, CHANNELS), "float32")
    middle = (slice(SIDE // 4, SIDE // 2),) * rank
    x[(0, *middle)] = rng.normal(size=(*(SIDE // 4,) * rank, CHANNELS))
    usual = getattr(keras.layers, f"MaxPooling{rank}D")(2)
    lines = {
        "every second one": (
            changes(getattr(keras.layers, f"MaxPooling{rank}D")(1, 2), x),
            PALE,
            ":",
        ),
        "max pooling by 2": (changes(usual, x), SECOND, "--"),
        "this layer": (changes(_function(entry), x), FIRST, "-"),
    }
    shown = code(entry)
    if entry.name == "MaxUnpooling2D":
        shown += " behind `MaxPoolingWithIndices2D()`"
    caption = f"How much the output of {shown} changes when an object in its input is "
    caption += "shifted; outputs for places are averaged, as global pooling behind it would."
    with figure(caption=caption) as ((axes,), out):
        for label, (values, color, line) in lines.items():
            axes.plot(list(SHIFTS), values, line, marker=".", color=color, label=label)
        axes.set(xlabel="shift, steps" if rank == 1 else "shift, pixels", ylabel="relative change")
        axes.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    return out.getvalue()


def _function(entry):
    if entry.name == "MaxUnpooling2D":
        pool, unpool = layers.MaxPoolingWithIndices2D(), make(entry)
        return lambda x: unpool(*pool(x))
    if entry.name == "MaxPoolingWithIndices2D":
        pool = make(entry)
        return lambda x: pool(x)[0]
    return make(entry)


def changes(function, x) -> list[float]:
    """Return the distance between the outputs of shifted and unshifted input, over their length.

    Where there is an output for each place, it is their mean: that they move is no change.
    """
    first, *others = (
        _mean(backend.as_numpy(function(ops.convert_to_tensor(np.roll(x, shift, axis=-2)))))
        for shift in SHIFTS
    )
    return [0.0, *(np.linalg.norm(y - first) / np.linalg.norm(first) for y in others)]


def _mean(y):
    return y.mean(axis=tuple(range(1, y.ndim - 1))).ravel()
