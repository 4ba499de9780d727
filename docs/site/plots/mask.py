"""Plot of a dropout layer: what is left of ones."""

from __future__ import annotations

import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap, to_rgba

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import FIRST, PALE, figure
from kcatalog.card import Part
from kcatalog.conformance import backend
from kcatalog.registry import Entry

COLORS = ListedColormap([to_rgba(PALE, 0.2), FIRST])
UNITS = 24
CALLS = ("one call", "another call")
# Titles, names of the axes, and the shape of the ones.
LAYOUTS = {
    "DropBlock2D": (("one channel", "another channel"), ("row", "column"), (1, 24, 24, 2)),
    "DropConnect": (CALLS, ("input", "unit"), (UNITS, UNITS)),
    "StochasticDepth": (CALLS, ("sample", "feature"), (UNITS, UNITS)),
    "VariationalDropout": (("one sequence", "another"), ("step", "feature"), (2, UNITS, UNITS)),
}
DENSE = Part("keras.layers.Dense", units=UNITS, kernel_initializer="ones")


def mask(entry: Entry) -> bytes:
    """Draw two masks: of two channels or sequences, or of two calls."""
    titles, axes_of, shape = LAYOUTS[entry.name]
    weights = {"layer": DENSE} if entry.name == "DropConnect" else {}
    x = ops.convert_to_tensor(np.eye(UNITS) if weights else np.ones(shape), "float32")
    part = make(entry, seed=2, **weights)
    one, other = (backend.as_numpy(part(x, training=True)) != 0 for _ in titles)
    if entry.name == "DropBlock2D":
        one, other = one[0, :, :, 0], one[0, :, :, 1]
    elif entry.name == "VariationalDropout":
        one, other = one
    caption = f"What {code(entry, seed=2, **weights)} drops in training (pale) and keeps (blue)."
    with figure(2, caption) as (all_axes, out):
        for axes, drawn, title in zip(all_axes, (one, other), titles, strict=True):
            axes.imshow(drawn, cmap=COLORS, vmin=0, vmax=1, interpolation="nearest")
            axes.set(title=title, xlabel=axes_of[1], ylabel=axes_of[0], xticks=[], yticks=[])
    return out.getvalue()
