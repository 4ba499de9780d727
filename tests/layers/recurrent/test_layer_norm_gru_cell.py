import keras
import numpy as np

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_loops, sigmoid, standardized


def step(x, states, w):
    (h,) = states
    a = w["kernel_gamma"] * standardized(x @ w["kernel"]) + w["bias"]
    s = w["recurrent_gamma"] * standardized(h @ w["recurrent_kernel"]) + w["recurrent_bias"]
    (a1, a2, a3), (s1, s2, s3) = np.split(a, 3), np.split(s, 3)
    z, r = sigmoid(a1 + s1), sigmoid(a2 + s2)
    return [z * h + (1 - z) * np.tanh(a3 + r * s3)]


def test_reference(rng):
    cell = layers.LayerNormGRUCell(4)
    expect_loops(keras.layers.RNN(cell, return_sequences=True), step, [4], rng)
