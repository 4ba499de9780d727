import keras
import numpy as np

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops, sigmoid


def relu(v):
    return np.maximum(v, 0)


def step(x, states, w):
    """Figure 8 of the paper: a tree of 8 leaves, whose fourth multiplies."""
    h, c = states
    a, s = np.split(x @ w["kernel"], 8), np.split(h @ w["recurrent_kernel"] + w["bias"], 8)
    activations = (sigmoid, relu, sigmoid, relu, np.tanh, sigmoid, np.tanh, sigmoid)
    leaves = [
        φ(ak * sk if k == 3 else ak + sk)
        for k, (φ, ak, sk) in enumerate(zip(activations, a, s, strict=True))
    ]
    first, second = np.tanh(leaves[0] * leaves[1]), np.tanh(leaves[2] + leaves[3])
    third, fourth = np.tanh(leaves[4] * leaves[5]), sigmoid(leaves[6] + leaves[7])
    c = np.tanh(first + c) * second
    return [np.tanh(c * np.tanh(third + fourth)) @ w.get("projection", np.eye(len(c))), c]


def test_reference(rng):
    cell = layers.NASCell(4, use_bias=True)
    expect_loops(keras.layers.RNN(cell, return_sequences=True), step, [4, 4], rng)


def test_golden():
    names = ("kernel", "recurrent_kernel", "bias", "projection_weights")
    cell = layers.NASCell(4, projection=3, use_bias=True)
    rnn = keras.layers.RNN(cell, return_sequences=True)
    expect_golden(rnn, "nas", lambda get: [get(name) for name in names])
