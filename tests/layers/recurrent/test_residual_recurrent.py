import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers


@pytest.mark.parametrize("mode", ["residual", "highway"])
def test_reference(rng, mode):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    inner = keras.layers.LSTMCell(3)
    rnn = keras.layers.RNN(layers.ResidualRecurrent(inner, mode), return_sequences=True)
    y = ops.convert_to_numpy(rnn(x))
    f = ops.convert_to_numpy(keras.layers.RNN(inner, return_sequences=True)(x))
    if mode == "residual":
        expected = x + f
    else:
        W, b = (ops.convert_to_numpy(w) for w in rnn.cell.weights if "gate_" in w.path)
        t = 1 / (1 + np.exp(-(x @ W + b)))
        expected = t * f + (1 - t) * x
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_width_must_fit():
    with pytest.raises(ValueError, match="`input_shape` must be"):
        keras.layers.RNN(layers.ResidualRecurrent(keras.layers.GRUCell(4))).build((None, 5, 3))
    with pytest.raises(ValueError, match="ResidualRecurrent: `cell` must be a recurrent cell"):
        layers.ResidualRecurrent(keras.layers.GRU(4))
