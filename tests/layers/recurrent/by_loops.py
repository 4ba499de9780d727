"""Recurrent layers beside loops over samples and steps, and beside golden values."""

import numpy as np
from keras import ops

from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def standardized(a, epsilon=1e-3):
    mean = sum(a) / len(a)
    variance = sum((v - mean) ** 2 for v in a) / len(a)
    return np.array([(v - mean) / np.sqrt(variance + epsilon) for v in a])


def expect_loops(rnn, step, sizes, rng):
    """Compare a layer that returns sequences with `step(x, states, weights)`, sample by sample."""
    x = rng.normal(size=(2, 5, 3))
    rnn.build(x.shape)
    weights = {v.path.rpartition("/")[2]: rng.normal(size=v.shape) for v in rnn.weights}
    rnn.set_weights(list(weights.values()))
    expected = []
    for sample in x:
        states = [np.zeros(n) for n in sizes]
        for features in sample:
            states = step(features, states, weights)
            expected.append(states[0])
    y = ops.convert_to_numpy(rnn(x.astype("float32")))
    np.testing.assert_allclose(y.reshape(10, -1), expected, rtol=1e-4, atol=1e-5)


def expect_golden(rnn, cell, arrays):
    """Compare value and gradients with the peer's; `arrays(get)` are the weights in our order."""
    peer = golden("tfa_recurrent")
    rnn.build(peer["x"].shape)
    trainable = bool(rnn.trainable_variables)
    weights = arrays(lambda name: peer[f"{cell}_{name}"])
    rnn.set_weights(weights)
    others = [v.value for v in rnn.non_trainable_variables]

    def total(x, *weights):
        y, _ = rnn.stateless_call(list(weights), others, x)
        return ops.sum(ops.multiply(y, peer[f"{cell}_cotangent"]))

    y = rnn(peer["x"])
    np.testing.assert_allclose(
        ops.convert_to_numpy(y), peer[f"{cell}_output"], rtol=1e-4, atol=1e-5
    )
    inputs = [peer["x"], *(weights if trainable else [])]
    _, gradients = value_and_gradients(total, inputs)
    expected = [peer[f"{cell}_gradient_x"], *arrays(lambda name: peer[f"{cell}_gradient_{name}"])]
    for gradient, wanted in zip(gradients, expected, strict=False):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-4)
