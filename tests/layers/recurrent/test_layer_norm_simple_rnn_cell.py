import keras
import numpy as np

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops, standardized


def step(x, states, w):
    (h,) = states
    a = x @ w["kernel"] + h @ w["recurrent_kernel"]
    return [np.tanh(w["gamma"] * standardized(a) + w["bias"])]


def test_reference(rng):
    cell = layers.LayerNormSimpleRNNCell(4)
    expect_loops(keras.layers.RNN(cell, return_sequences=True), step, [4], rng)


def peer_weights(get):
    return [get(name) for name in ("kernel", "recurrent_kernel", "bias", "gamma")]


def test_golden():
    cell = layers.LayerNormSimpleRNNCell(4)
    expect_golden(keras.layers.RNN(cell, return_sequences=True), "simple", peer_weights)
