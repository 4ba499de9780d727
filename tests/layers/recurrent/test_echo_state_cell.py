import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.recurrent.by_loops import expect_golden, expect_loops


def step(x, states, w):
    (h,) = states
    return [0.3 * h + 0.7 * np.tanh(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"])]


def test_reference(rng):
    cell = layers.EchoStateCell(4, leaky=0.7)
    expect_loops(keras.layers.RNN(cell, return_sequences=True), step, [4], rng)


def peer_weights(get):
    return [get(name) for name in ("kernel", "recurrent_kernel", "bias")]


def test_golden():
    cell = layers.EchoStateCell(4, leaky=0.7)
    expect_golden(keras.layers.RNN(cell, return_sequences=True), "esn", peer_weights)


@pytest.mark.parametrize("use_norm2", [False, True])
def test_reservoir(use_norm2):
    cell = layers.EchoStateCell(60, 0.2, spectral_radius=0.7, use_norm2=use_norm2, seed=3)
    cell.build((None, 2))
    U = ops.convert_to_numpy(cell.weights[1])
    size = np.linalg.norm(U) if use_norm2 else np.abs(np.linalg.eigvals(U)).max()
    assert size == pytest.approx(0.7, rel=1e-3)
    assert np.mean(U != 0) == pytest.approx(0.2, abs=0.03)


def test_no_connections():
    cell = layers.EchoStateCell(4, connectivity=0.0)
    cell.build((None, 2))
    np.testing.assert_array_equal(ops.convert_to_numpy(cell.weights[1]), 0)
