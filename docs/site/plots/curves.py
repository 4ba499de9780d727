"""Plots of functions of one number: schedules and activations."""

from __future__ import annotations

import numpy as np
from keras import ops

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import SECOND, figure
from kcatalog.registry import Entry

LEAST_STEPS = 30


def schedule(entry: Entry) -> bytes:
    """Draw the learning rate over steps, until a little after all of its periods."""
    part = make(entry)
    lengths = [v for v in _values(part.get_config()) if isinstance(v, int)]
    steps = np.arange(max(int(1.25 * sum(lengths)), LEAST_STEPS) + 1)
    rates = [float(part(int(t))) for t in steps]
    with figure(caption=f"The learning rate of {code(entry)} at each step.") as ((axes,), out):
        axes.plot(steps, rates)
        axes.set_xlabel("step")
        axes.set_ylabel("learning rate")
    return out.getvalue()


def _values(config):
    """Yield the numbers and texts of a config, those of the schedules inside it, too."""
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, dict | list | tuple):
            yield from _values(value)
        elif not isinstance(value, bool):
            yield value


def activation(entry: Entry) -> bytes:
    """Draw an output and its slope over the input of the same place; other inputs are 0."""
    part = make(entry)
    x = np.linspace(-4, 4, 161)
    inputs = np.zeros((len(x), *entry.card.example.shape), "float32")
    inputs.reshape(len(x), -1)[:, 0] = x
    y = ops.convert_to_numpy(part(ops.convert_to_tensor(inputs))).reshape(len(x), -1)[:, 0]
    caption = f"The output of {code(entry)} and its slope over one of the inputs; others are 0."
    with figure(caption=caption) as ((axes,), out):
        axes.plot(x, y, label="output")
        axes.plot(x, np.gradient(y, x), "--", color=SECOND, label="slope")
        axes.set_xlabel("input")
        axes.legend()
    return out.getvalue()
