"""Plot of a recurrent layer or cell: the gradient that reaches each of 500 steps."""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import ops

from docs.site.plots.arguments import arguments, code, make
from docs.site.plots.figure import FIRST, PALE, figure
from kcatalog.card import Part
from kcatalog.conformance import backend
from kcatalog.registry import Entry

STEPS, UNITS, LEAST = 500, 32, 1e-12  # as many inputs as units
CELL = Part("keras.layers.GRUCell", units=UNITS)


def recurrent(entry: Entry) -> bytes:
    """Draw the share of the last step's gradient that reaches the steps before it."""
    more = {"cell": CELL} if "cell" in arguments(entry) else {"units": UNITS}
    caption = (
        f"The gradient of the last of {STEPS} outputs for the input of each step, as a share of "
        f"that for the last input: {code(entry, **more)} as it is initialized, beside layers of "
        f"Keras with {UNITS} units."
    )
    with figure(caption=caption) as ((axes,), out):
        back = np.arange(1, STEPS)
        for kind, line in (("LSTM", "--"), ("GRU", ":")):
            axes.loglog(back, of_keras(kind)[1:], line, color=PALE, label=f"keras {kind}")
        keras.utils.set_random_seed(0)
        part = make(entry, **more)
        if not isinstance(part, keras.layers.RNN) and "cell" in entry.card.tags:
            part = keras.layers.RNN(part)
        axes.loglog(back, shares(part)[1:], color=FIRST, label=entry.name)
        axes.set(xlabel="steps back", ylabel="share of the gradient", ylim=(LEAST, None))
        axes.legend(fontsize=8)
    return out.getvalue()


@functools.cache
def of_keras(kind: str) -> np.ndarray:
    """Return the shares of a layer of Keras."""
    keras.utils.set_random_seed(0)
    return shares(getattr(keras.layers, kind)(UNITS))


def shares(layer) -> np.ndarray:
    """Return the norm of the last output's gradient, from the last step back, as shares."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, STEPS, UNITS)).astype("float32")
    layer.build(x.shape)
    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    direction = ops.convert_to_tensor(rng.normal(size=1024), "float32")

    def last(x):
        y = layer.stateless_call(weights, others, x)[0]
        return ops.sum(y * direction[: y.shape[-1]])  # a plain sum is constant behind LayerNorm

    _, gradient = backend.compiled_value_and_gradient(last, x)
    norms = np.linalg.norm(gradient.astype("float64"), axis=(0, 2))[::-1]
    return np.maximum(norms / norms[0], LEAST / 10)
