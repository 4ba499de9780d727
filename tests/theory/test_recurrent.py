"""Gradients through 500 steps: what gates, normalization and chrono initialization are for."""

import keras
import numpy as np
import pytest
from keras import ops

import kcatalog
from kcatalog.conformance import backend

STEPS, UNITS = 500, 8


def kept(layer):
    """Return how much of the gradient of the last output reaches the first step, of the last's."""
    x = 0.5 * np.random.default_rng(0).normal(size=(2, STEPS, 3)).astype("float32")
    layer.build(x.shape)
    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]

    def last(x):
        return ops.sum(layer.stateless_call(weights, others, x)[0])

    if backend.COMPILES:
        _, gradient = backend.compiled_value_and_gradient(last, x)
    else:
        _, (gradient,) = backend.value_and_gradients(last, [x])
    norms = np.linalg.norm(gradient, axis=(0, 2))
    return norms[:10].mean() / norms[-10:].mean()


def initialized(name):
    """Return a layer with forget gates that keep for up to 500 steps."""
    small = {"recurrent_initializer": keras.initializers.Orthogonal(0.1, seed=1)}
    common = {"kernel_initializer": keras.initializers.GlorotUniform(seed=1), **small}
    chrono = kcatalog.initializers.Chrono(STEPS, UNITS, seed=1)
    if name == "GRU":
        return keras.layers.GRU(UNITS, bias_initializer=chrono, **common)
    kind = {"LSTM": keras.layers.LSTM, "LayerNormLSTM": kcatalog.layers.LayerNormLSTM}[name]
    return kind(UNITS, bias_initializer=chrono, unit_forget_bias=False, **common)


def plain_network():
    small = keras.initializers.Orthogonal(0.9, seed=1)
    return keras.layers.SimpleRNN(UNITS, recurrent_initializer=small)


def test_vanishes_in_a_plain_network():
    """At most 0.9⁵⁰⁰ = 1e-23 of it is left, which float32 still tells from 0."""
    assert kept(plain_network()) < 1e-18


@pytest.mark.parametrize("name", ["LSTM", "GRU", "LayerNormLSTM"])
def test_survives_with_gates_and_chrono(name):
    assert 1e-3 < kept(initialized(name)) < 1e3


@pytest.mark.slow
def test_gradient_flow_shows_it():
    """A layer that only the first of 500 steps sees gets no gradient through a plain network."""

    def gradient_norm(layer):
        first = keras.Input((3,))
        x = keras.layers.Dense(3, kernel_initializer="identity", name="first")(first)
        x = keras.layers.ZeroPadding1D((0, STEPS - 1))(keras.layers.Reshape((1, 3))(x))
        model = keras.Model(first, layer(x))
        model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=backend.JIT)
        batch = np.ones((2, 3), "float32"), np.ones((2, UNITS), "float32")
        flow = kcatalog.callbacks.GradientFlow(batch, every_steps=1, vanishing=1e-9)
        model.fit(*batch, verbose=0, callbacks=[flow])
        return flow.gradient_norms["first"]

    with pytest.warns(RuntimeWarning, match="gradient of layer 'first' vanishes"):
        plain = gradient_norm(plain_network())
    assert plain < 1e-18
    assert gradient_norm(initialized("LSTM")) > 1e-6


def losses_of_a_plain_network_that_explodes(optimizer):
    """Return the loss after each of 20 steps; the gradient grows up to 1.5 times a time step."""
    recurrent = keras.initializers.Orthogonal(1.5, seed=1)
    kernel = keras.initializers.GlorotUniform(seed=3)
    layer = keras.layers.SimpleRNN(8, "relu", True, kernel, recurrent)
    dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=2))
    model = keras.Sequential([keras.Input((40, 3)), layer, dense])
    model.compile(optimizer, "mae", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(8, 40, 3)).astype("float32")
    y = np.zeros((8, 1), "float32")
    return model.fit(x, y, epochs=20, verbose=0).history["loss"]


@pytest.mark.slow
def test_clipping_keeps_a_plain_network_finite():
    """Through 40 steps of ReLU the gradient is huge, and one step of SGD by it is a disaster."""
    plain = losses_of_a_plain_network_that_explodes(keras.optimizers.SGD(0.1))
    assert not np.all(np.isfinite(plain)) or max(plain) > 1e6 * plain[0]
    clipped = losses_of_a_plain_network_that_explodes(
        keras.optimizers.SGD(0.1, global_clipnorm=1.0)
    )
    adaptive = losses_of_a_plain_network_that_explodes(
        kcatalog.optimizers.AdaptiveGradientClipping(keras.optimizers.SGD(0.1))
    )
    for loss in (clipped, adaptive):
        assert np.all(np.isfinite(loss))
        assert min(loss[-5:]) < 0.5 * loss[0], loss
