import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden

NAMES = ("kernel", "recurrent_kernel", "bias", "kernel_gamma", "recurrent_gamma")
STATE_NAMES = ("state_gamma", "state_beta")


def normalized(a, gamma, beta, epsilon):
    """Layer normalization of one vector, as in Ba et al., equation 3."""
    mean = sum(a) / len(a)
    variance = sum((v - mean) ** 2 for v in a) / len(a)
    return [
        g * (v - mean) / np.sqrt(variance + epsilon) + b
        for v, g, b in zip(a, gamma, beta, strict=True)
    ]


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def reference(x, weights, epsilon=1e-3):
    """Equations 20 to 22 of Ba et al.'s supplement, one number at a time; every step's h."""
    W, U, bias, gamma1, gamma2, gamma3, beta3 = (np.asarray(w, "float64") for w in weights)
    units, none = U.shape[0], np.zeros(U.shape[1])
    out = np.zeros((*x.shape[:2], units))
    for n in range(len(x)):
        h, c = np.zeros(units), np.zeros(units)
        for t in range(x.shape[1]):
            a = normalized(x[n, t] @ W, gamma1, none, epsilon)
            r = normalized(h @ U, gamma2, none, epsilon)
            z = [a[j] + r[j] + bias[j] for j in range(4 * units)]
            for k in range(units):
                i, f, g = (z[gate * units + k] for gate in range(3))
                c[k] = sigmoid(f) * c[k] + sigmoid(i) * np.tanh(g)
            n_c = normalized(c, gamma3, beta3, epsilon)
            for k in range(units):
                h[k] = sigmoid(z[3 * units + k]) * np.tanh(n_c[k])
            out[n, t] = h
    return out


def random_weights(rng, layer):
    return [rng.normal(size=w.shape).astype("float32") for w in layer.weights]


def test_reference(rng):
    rnn = keras.layers.RNN(layers.LayerNormLSTMCell(4), return_sequences=True)
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    rnn.build(x.shape)
    weights = random_weights(rng, rnn)
    rnn.set_weights(weights)
    y = ops.convert_to_numpy(rnn(x))
    np.testing.assert_allclose(y, reference(x, weights), rtol=1e-4, atol=1e-5)


def peer_weights(peer):
    """The peer's three biases are only ever added: one bias holds their sum."""
    bias = peer["bias"] + peer["kernel_beta"] + peer["recurrent_beta"]
    weights = {**peer, "bias": bias}
    return [weights[n] for n in (*NAMES, *STATE_NAMES)]


def test_golden():
    """With `carry_normalized`: the peer carries LN(c) where the paper carries c."""
    peer = golden("tfa_layer_norm_lstm")
    cell = layers.LayerNormLSTMCell(5, carry_normalized=True)
    rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    rnn.build(peer["x"].shape)
    rnn.set_weights(peer_weights(peer))
    for prefix, mask in (("", None), ("masked_", ops.convert_to_tensor(peer["mask"]))):
        for y, name in zip(
            rnn(peer["x"], mask=mask), ("output", "state_h", "state_c"), strict=True
        ):
            expected = peer[f"{prefix}{name}"]
            np.testing.assert_allclose(ops.convert_to_numpy(y), expected, rtol=1e-4, atol=1e-5)


def test_golden_gradients():
    peer = golden("tfa_layer_norm_lstm")
    cell = layers.LayerNormLSTMCell(5, carry_normalized=True)
    rnn = keras.layers.RNN(cell, return_sequences=True)
    rnn.build(peer["x"].shape)

    def total(x, *weights):
        y, _ = rnn.stateless_call(list(weights), [], x)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    _, gradients = value_and_gradients(total, [peer["x"], *peer_weights(peer)])
    for name, gradient in zip(("x", *NAMES, *STATE_NAMES), gradients, strict=True):
        expected = peer[f"gradient_{name}"]
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4, err_msg=name)


def test_gates_start_out_remembering():
    cell = layers.LayerNormLSTMCell(3)
    cell.build((None, 2))
    bias = ops.convert_to_numpy(cell.weights[2])
    np.testing.assert_array_equal(bias, [0] * 3 + [1] * 3 + [0] * 6)


def test_in_a_stack(rng):
    cells = [layers.LayerNormLSTMCell(3), keras.layers.LSTMCell(2)]
    y = keras.layers.RNN(cells)(rng.normal(size=(1, 4, 5)).astype("float32"))
    assert y.shape == (1, 2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_large_input_in_half_precision(policy):
    """The squares of these sums would overflow float16."""
    rnn = keras.layers.RNN(layers.LayerNormLSTMCell(4, dtype=policy), dtype=policy)
    y = rnn(np.array([[[2e4, -1e4]] * 3], "float32"))
    assert np.isfinite(ops.convert_to_numpy(ops.cast(y, "float32"))).all()
