import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def run(cell, x, **mode):
    rnn = keras.layers.RNN(cell, return_sequences=True)
    return ops.convert_to_numpy(rnn(x, **mode))


def counter():
    """A cell that adds its input to its state."""
    ones = {"kernel_initializer": "ones", "recurrent_initializer": "identity"}
    return keras.layers.SimpleRNNCell(1, activation=None, **ones)


def test_reference_at_inference(rng):
    x = rng.normal(size=(2, 5, 1)).astype("float32")
    y, h = run(layers.Zoneout(counter(), 0.25), x), np.zeros((2, 1))
    for t in range(5):
        h = 0.25 * h + 0.75 * (h + x[:, t])
        np.testing.assert_allclose(y[:, t], h, rtol=1e-5)


def test_units_keep_their_states_at_random(rng):
    """Each step that is not kept adds `x`: how many are, and whether in a row, is by chance."""
    x = 1 + rng.random((40, 50, 1)).astype("float32")
    y = run(layers.Zoneout(counter(), 0.3, seed=1), x, training=True)
    added = np.diff(y, axis=1, prepend=0)
    kept = np.abs(added[..., 0]) < 1e-3
    np.testing.assert_allclose(added[~kept], x[~kept], atol=1e-4)
    assert kept.mean() == pytest.approx(0.3, abs=0.05)
    assert (kept[:, 1:] & kept[:, :-1]).mean() == pytest.approx(0.09, abs=0.05)
    assert (kept[1:] & kept[:-1]).mean() == pytest.approx(0.09, abs=0.05)


def test_rate_for_each_state():
    cell = layers.Zoneout(keras.layers.LSTMCell(2), [1.0, 0.0])
    x = np.ones((1, 3, 2), "float32")
    for training in (True, False):
        _, h, c = keras.layers.RNN(cell, return_state=True)(x, training=training)
        assert not ops.convert_to_numpy(h).any()
        assert ops.convert_to_numpy(c).all()
    with pytest.raises(ValueError, match="Zoneout: `rate` must be a number, or a list of 2"):
        layers.Zoneout(keras.layers.LSTMCell(2), [0.1, 0.2, 0.3])


def test_dropout_of_the_cell_acts():
    cell = layers.Zoneout(keras.layers.GRUCell(3, recurrent_dropout=0.5, dropout=0.5), 0.0)
    x = np.ones((4, 3, 8), "float32")
    assert (run(cell, x, training=True) != run(cell, x)).any()
