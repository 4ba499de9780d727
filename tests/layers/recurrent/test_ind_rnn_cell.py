import keras
import numpy as np

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_loops


def step(x, states, w):
    (h,) = states
    return [np.maximum(x @ w["kernel"] + w["recurrent_kernel"] * h + w["bias"], 0)]


def test_reference(rng):
    cell = layers.IndRNNCell(4)
    expect_loops(keras.layers.RNN(cell, return_sequences=True), step, [4], rng)
