import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden


def drawn(x, rate, seed=0):
    return ops.convert_to_numpy(layers.StochasticDepth(rate, seed=seed)(x, training=True))


def test_reference_draws(rng):
    """Equation 2, divided by the survival probability: each sample whole or not at all."""
    x = rng.normal(size=(4000, 2, 3)).astype("float32")
    y, dropped = drawn(x, 0.3), 0
    for sample, out in zip(x, y, strict=True):
        if not out.any():
            dropped += 1
        else:
            np.testing.assert_allclose(out, sample / 0.7, rtol=1e-5)
    assert abs(dropped / len(x) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / len(x))


def test_mean_is_the_input():
    y = drawn(np.ones((20000, 1), "float32"), 0.5)
    assert abs(y.mean() - 1) < 4 / np.sqrt(20000)


def test_golden_inference():
    """The peer trains without a factor and multiplies the branch at inference, as the paper.

    Dividing in training and leaving inference alone is the same rule for a branch that ends in
    a linear layer; it makes the same expected sum, `rate` = 1 - survival probability.
    """
    peer = golden("tfa_stochastic_depth")
    for survival, output in zip(peer["survival_probability"], peer["output"], strict=True):
        layer = layers.StochasticDepth(1 - float(survival))
        branch = ops.convert_to_numpy(layer(peer["residual"]))
        np.testing.assert_allclose(peer["shortcut"] + survival * branch, output, rtol=1e-5)
        layer = layers.StochasticDepth(1 - float(survival), scale_at="inference")
        pair = [peer["shortcut"], peer["residual"]]
        np.testing.assert_allclose(ops.convert_to_numpy(layer(pair)), output, rtol=1e-5)


def test_reference_scaled_at_inference():
    """Equation 5: what is kept has no factor in training."""
    layer = layers.StochasticDepth(0.5, seed=0, scale_at="inference")
    x = np.full((200, 2), 3.0, "float32")
    y = ops.convert_to_numpy(layer([np.ones_like(x), x], training=True))
    assert set(np.unique(y)) == {1.0, 4.0}
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), 1.5 * np.ones_like(x))


def test_pair_in_a_saved_model(tmp_path):
    x = keras.Input((4,))
    y = layers.StochasticDepth(0.5, scale_at="inference")([x, keras.layers.Dense(4)(x)])
    model = keras.Model(x, y)
    assert y.shape == (None, 4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    data = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (again(data), model(data))))


def test_same_seed_same_draws():
    x = np.ones((50, 3), "float32")
    np.testing.assert_array_equal(drawn(x, 0.5, seed=3), drawn(x, 0.5, seed=3))
    assert (drawn(x, 0.5, seed=3) != drawn(x, 0.5, seed=4)).any()


def test_a_dropped_branch_takes_its_nan_along():
    y = drawn(np.full((200, 2), np.inf, "float32"), 0.5)
    assert np.isin(y, [0, np.inf]).all()


@pytest.mark.parametrize("shape", [(1, 3), (5,), (2, 1, 1, 1, 4)])
def test_any_rank(shape):
    assert drawn(np.ones(shape, "float32"), 0.5).shape == shape


def test_trains_in_a_residual_block(rng):
    x = keras.Input((4,))
    y = keras.layers.Dense(1)(x + layers.StochasticDepth(0.5)(keras.layers.Dense(4)(x)))
    model = keras.Model(x, y)
    model.compile("sgd", "mse")
    data = rng.normal(size=(8, 4)).astype("float32")
    model.fit(data, data[:, :1], epochs=1, verbose=0)
    np.testing.assert_array_equal(model.predict(data, verbose=0), model.predict(data, verbose=0))
