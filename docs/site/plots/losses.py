"""Plots of losses: the value and its slope while one thing of a prediction moves."""

from __future__ import annotations

import numpy as np
from keras import ops

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import LINES, PALE, figure
from docs.site.plots.scenes import scene
from kcatalog.conformance import backend
from kcatalog.registry import Entry


def loss(entry: Entry) -> bytes:
    """Draw a loss and, beside it, its slope along the way of what moves."""
    shown = scene(entry)
    caption = f"The loss of {code(entry)} and its slope while {shown.moved}."
    with figure(2, caption) as ((left, right), out):
        for axes, what in ((left, "loss"), (right, "slope")):
            axes.set(xlabel=shown.axis, ylabel=what)
            for place in shown.marks:
                axes.axvline(place, color=PALE, linewidth=0.7, linestyle=":")
        for style, (label, line) in zip(LINES, shown.lines.items(), strict=False):
            values, slopes = along(entry, line, shown.x)
            left.plot(shown.x, values, style, label=label)
            right.plot(shown.x, slopes, style)
        if len(shown.lines) > 1:
            left.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0)
        for place, text in shown.marks.items():
            height = left.get_xaxis_transform()
            left.text(place, 1.02, text, transform=height, ha="center", fontsize=8)
    return out.getvalue()


def along(entry: Entry, line, x) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss at each place, and its slope."""
    y_true, predictions = line
    if "in-batch" in entry.card.tags:
        part = make(entry)
        step = backend.compiled_gradient(
            lambda t: part(ops.convert_to_tensor(y_true), predictions(t)[0])
        )
        pairs = [step(ops.convert_to_tensor(t[None])) for t in x.astype("float32")]
        return tuple(
            np.array([backend.as_numpy(v).item() for v in vs]) for vs in zip(*pairs, strict=True)
        )
    part, n = make(entry, reduction=None), len(x)
    each_true = ops.convert_to_tensor(np.repeat(y_true, n, axis=0))

    def values(t):
        each = part(each_true, predictions(t)[:, 0])
        return ops.mean(ops.reshape(each, (n, -1)), axis=1)

    x = ops.convert_to_tensor(x.astype("float32"))
    _, (slopes,) = backend.value_and_gradients(lambda t: ops.sum(values(t)), [x])
    return backend.as_numpy(values(x)), slopes
