import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def drawn(x, rate, seed=0):
    return ops.convert_to_numpy(layers.VariationalDropout(rate, seed=seed)(x, training=True))


@pytest.mark.parametrize("between", [(5,), (2, 3), (1,)])
def test_reference_one_mask_for_all_steps(rng, between):
    x = rng.normal(size=(60, *between, 8)).astype("float32")
    y, dropped = drawn(x, 0.25), 0
    for n in range(60):
        for k in range(8):
            if not y[n, ..., k].any():
                dropped += 1
            else:
                np.testing.assert_allclose(y[n, ..., k], x[n, ..., k] / 0.75, rtol=1e-5)
    assert abs(dropped / 480 - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 480)


def test_samples_and_features_differ():
    y = drawn(np.ones((30, 4, 30), "float32"), 0.5)[:, 0]
    assert (y != y[:1]).any()
    assert (y != y[:, :1]).any()


def test_mean_is_the_input():
    y = drawn(np.ones((200, 2, 100), "float32"), 0.5)
    assert abs(y.mean() - 1) < 4 / np.sqrt(200 * 100)


def test_mask_is_passed_on():
    layer = layers.VariationalDropout(0.5)
    x = keras.layers.Embedding(5, 4, mask_zero=True)(np.array([[1, 2, 0], [0, 0, 0]]))
    mask = layer(x, training=True)._keras_mask
    np.testing.assert_array_equal(
        ops.convert_to_numpy(mask), [[True, True, False], [False, False, False]]
    )


def test_two_axes_are_refused():
    with pytest.raises(ValueError, match="VariationalDropout: `input_shape` must be"):
        layers.VariationalDropout(0.5).build((2, 3))


def test_trains_before_a_recurrent_layer(rng):
    model = keras.Sequential(
        [keras.Input((5, 3)), layers.VariationalDropout(0.5), keras.layers.LSTM(2)]
    )
    model.compile("sgd", "mse")
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    model.fit(x, np.zeros((4, 2)), epochs=1, verbose=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.layers[0](x)), x)
