import keras
import numpy as np

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops, sigmoid


def step(x, states, w):
    h, c = states
    zi, zf, zg, zo = np.split(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4)
    vi, vf, vo = w["peepholes"]
    i, f = sigmoid(zi + vi * c), sigmoid(zf + vf * c)
    c = f * c + i * np.tanh(zg)
    return [sigmoid(zo + vo * c) * np.tanh(c), c]


def test_reference(rng):
    cell = layers.PeepholeLSTMCell(4)
    expect_loops(keras.layers.RNN(cell, return_sequences=True), step, [4, 4], rng)


def peer_weights(get):
    peepholes = [get(f"{gate}_gate_peephole_weights") for gate in ("input", "forget", "output")]
    return [get("kernel"), get("recurrent_kernel"), get("bias"), np.stack(peepholes)]


def test_golden():
    cell = layers.PeepholeLSTMCell(4)
    expect_golden(keras.layers.RNN(cell, return_sequences=True), "peephole", peer_weights)
