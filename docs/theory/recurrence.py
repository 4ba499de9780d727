"""Recurrence and vanishing gradients

A recurrent network reads a sequence step by step and keeps a state. Its gradient passes back
through every step, which multiplies it; what that does over hundreds of steps decides what can be
learned.
"""

import keras
import numpy as np
from keras import ops

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by
from kcatalog import initializers
from kcatalog.conformance import backend

STEPS, UNITS = 500, 8


@tested_by("test_networks.py", "test_a_recurrent_network_takes_any_length")
def a_recurrent_network_takes_any_length():
    """One set of weights reads sequences of any length

    A GRU of 8 units has {weights} weights and gives a vector for each of these sequences of 5 to 80
    steps. The state after half of a sequence, handed on, gives the same end as reading all of it,
    up to {difference:.0e}.
    """
    layer = keras.layers.GRU(UNITS)
    x = np.random.default_rng(0).normal(size=(1, 80, 3)).astype("float32")
    ends = {n: backend.as_numpy(layer(x[:, :n]))[0] for n in (5, 20, 40, 80)}
    resumed = backend.as_numpy(layer(x[:, 40:], initial_state=ends[40][None]))[0]
    with figure() as ((axes,), out):
        for n, end in ends.items():
            axes.plot(end, "o-", label=f"{n} steps")
        axes.set_xlabel("unit")
        axes.set_ylabel("state at the end")
        axes.legend(fontsize=8)
    difference = np.abs(resumed - ends[80]).max()
    return {"weights": layer.count_params(), "difference": difference}, out.getvalue()


def gradient_by_step(layer, steps=STEPS):
    """Return the norm of the last output's gradient for each step's input."""
    x = 0.5 * np.random.default_rng(0).normal(size=(2, steps, 3)).astype("float32")
    layer.build(x.shape)
    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]

    def last(x):
        return ops.sum(layer.stateless_call(weights, others, x)[0])

    _, gradient = backend.compiled_value_and_gradient(last, x)
    return np.linalg.norm(gradient.astype("float64"), axis=(0, 2))


def plain(scale):
    recurrent = keras.initializers.Orthogonal(scale, seed=1)
    return keras.layers.SimpleRNN(UNITS, "linear", recurrent_initializer=recurrent)


@tested_by(
    "test_gradients.py",
    "test_gradients_explode_with_large_recurrent_weights_and_clipping_bounds_the_step",
)
def gradients_vanish_or_explode():
    """Over many steps, gradients vanish or explode

    A linear recurrence multiplies the gradient by its recurrent weights at every step. With an
    orthogonal matrix times 0.9, 1 or 1.1, of the gradient of the last step after {steps} steps
    there is {small:.0e}, {one:.2g} or {large:.0e} left: the powers 0.9ⁿ, 1ⁿ and 1.1ⁿ. How weights
    are initialized decides the beginning of a training.
    """
    steps, found = 200, {scale: gradient_by_step(plain(scale), 200) for scale in (0.9, 1.0, 1.1)}
    with figure() as ((axes,), out):
        for scale, norms in found.items():
            axes.semilogy(np.arange(steps)[::-1], norms, label=f"times {scale}")
        axes.set_xlabel("steps back")
        axes.set_ylabel("gradient for the input")
        axes.legend()
    small, one, large = (norms[0] / norms[-1] for norms in found.values())
    return {"steps": steps, "small": small, "one": one, "large": large}, out.getvalue()


@tested_by("test_recurrent.py", "test_survives_with_gates_and_chrono")
def gates_keep_gradients():
    """The gates of LSTM and GRU keep gradients

    An LSTM adds to its cell and multiplies by a forget gate that it learns, a GRU mixes the old
    state with the new. With gates that keep for up to 500 steps (`initializers.Chrono`), {lstm:.2g}
    of the gradient reaches the first of 500 steps in an LSTM and {gru:.2g} in a GRU; in a plain
    network with recurrent weights of 0.9, {plain:.0e}. Gates alone are not enough, they have to be
    open: as Keras initializes an LSTM, {default:.0e} is left after 100 steps already.
    """
    chrono = initializers.Chrono(STEPS, UNITS, seed=1)
    small = {"recurrent_initializer": keras.initializers.Orthogonal(0.1, seed=1)}
    opened = {"bias_initializer": chrono, **small}
    found = {
        "LSTM, open": keras.layers.LSTM(UNITS, unit_forget_bias=False, **opened),
        "GRU, open": keras.layers.GRU(UNITS, **opened),
        "plain": plain(0.9),
        "LSTM, as Keras begins": keras.layers.LSTM(UNITS),
    }
    found = {name: gradient_by_step(layer) for name, layer in found.items()}
    with figure() as ((axes,), out):
        for label, norms in found.items():
            axes.semilogy(np.arange(STEPS)[::-1], np.maximum(norms, 1e-26), label=label)
        axes.set_ylim(1e-24, None)
        axes.set_xlabel("steps back")
        axes.set_ylabel("gradient for the input")
        axes.legend(fontsize=8)
    lstm, gru, simple, default = found.values()
    numbers = {"lstm": lstm[0] / lstm[-1], "gru": gru[0] / gru[-1], "plain": simple[0] / simple[-1]}
    return {**numbers, "default": default[-100] / default[-1]}, out.getvalue()


@tested_by("test_recurrent.py", "test_clipping_keeps_a_plain_network_finite")
def clipping_bounds_a_step():
    """Clipping keeps an exploding gradient from ruining the weights

    Through 40 steps of ReLU with recurrent weights of 1.5 the gradient is huge, and one step of SGD
    by it ruins the weights: the mean absolute error of {first:,.0f} is not a number any more. With
    the gradient's norm clipped to 1 it falls to {clipped:.2f} in 20 steps. Clipping keeps the
    direction, so it helps against exploding gradients, and not against vanishing ones.
    """

    def losses(**options):
        keras.utils.set_random_seed(2)
        recurrent = keras.initializers.Orthogonal(1.5, seed=1)
        kernel = keras.initializers.GlorotUniform(seed=3)
        layer = keras.layers.SimpleRNN(8, "relu", True, kernel, recurrent)
        dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=2))
        model = keras.Sequential([keras.Input((40, 3)), layer, dense])
        model.compile(keras.optimizers.SGD(0.1, **options), "mae", jit_compile=False)
        x = np.random.default_rng(0).normal(size=(8, 40, 3)).astype("float32")
        return model.fit(x, np.zeros((8, 1), "float32"), epochs=20, verbose=0).history["loss"]

    plain, clipped = losses(), losses(global_clipnorm=1.0)
    with figure() as ((axes,), out):
        axes.semilogy(range(1, 21), plain, label="plain", marker="o")
        axes.semilogy(range(1, 21), clipped, label="clipped")
        axes.set_xlabel("step")
        axes.set_ylabel("mean absolute error")
        axes.legend()
    if np.isfinite(plain[1]):
        raise ValueError(f"the loss after an unclipped step is {plain[1]}")
    return {"first": plain[0], "clipped": clipped[-1]}, out.getvalue()
