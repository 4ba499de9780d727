import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import initializers
from kcatalog.conformance.backend import as_numpy

Chrono = initializers.Chrono


def reference(u):
    """Equation 16 of Tallec and Ollivier from the times u: forget and input biases."""
    forget = [np.log(t) for t in u]
    return forget, [-b for b in forget]


def test_reference():
    u = as_numpy(keras.random.uniform((6,), 1, 99, "float32", seed=3))
    forget, inp = reference(u)
    b = as_numpy(Chrono(100, 6, seed=3)((24,)))
    i, f, c, o = np.split(b, 4)
    np.testing.assert_allclose(f, forget, rtol=1e-5)
    np.testing.assert_allclose(i, inp, rtol=1e-5)
    assert not np.any([c, o])


def test_times_are_spread_evenly():
    b = as_numpy(Chrono(1000, 4000, seed=0)((16_000,)))
    times = np.exp(b[4000:8000])
    assert times.min() >= 1
    assert times.max() <= 999
    np.testing.assert_allclose(np.quantile(times, [0.25, 0.5, 0.75]), [250, 500, 750], atol=30)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_keeps_its_state_for_the_times_drawn(reset_after):
    gru = keras.layers.GRU(
        5,
        bias_initializer=Chrono(50, 5, seed=1),
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        reset_after=reset_after,
    )
    x, start = ops.zeros((1, 1, 2)), ops.ones((1, 5))
    kept = as_numpy(gru(x, initial_state=start))[0]
    u = as_numpy(keras.random.uniform((5,), 1, 49, "float32", seed=1))
    np.testing.assert_allclose(kept, u / (1 + u), rtol=1e-4)  # σ(log u)


def test_lstm_forgets_in_the_times_drawn():
    lstm = keras.layers.LSTM(
        5,
        bias_initializer=Chrono(50, 5, seed=1),
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        unit_forget_bias=False,
        return_state=True,
    )
    *_, c = lstm(ops.zeros((1, 1, 2)), initial_state=[ops.zeros((1, 5)), ops.ones((1, 5))])
    u = as_numpy(keras.random.uniform((5,), 1, 49, "float32", seed=1))
    np.testing.assert_allclose(as_numpy(c)[0], u / (1 + u), rtol=1e-4)


@pytest.mark.parametrize("units", [3, 4, 8])
def test_pieces_of_a_bias_are_refused(units):
    lstm = keras.layers.LSTM(units, bias_initializer=Chrono(50, units))
    with pytest.raises(ValueError, match="unit_forget_bias=False"):
        lstm.build((None, 3, 2))


def test_seed_generator_draws_anew_and_is_kept_in_the_config():
    b = Chrono(50, 4, seed=keras.random.SeedGenerator(5))
    assert np.any(as_numpy(b((16,))) != as_numpy(b((16,))))
    again = Chrono.from_config(b.get_config())
    assert isinstance(again.seed, keras.random.SeedGenerator)
