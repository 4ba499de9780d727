import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import fit_lbfgs


def _data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) * [1.0, 3.0, 0.3, 1.0, 0.1]
    y = (x @ [1.0, -0.5, 2.0, 0.0, 3.0] + rng.normal(size=200) > 0.5).astype("float32")
    return x.astype("float32"), y


def _logistic(C=1.0, samples=200):
    """A model with scikit-learn's objective, divided by C and by the number of samples."""
    penalty = keras.regularizers.L2(0.5 / (C * samples))
    dense = keras.layers.Dense(1, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((5,)), dense])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model, dense


def test_reference_logistic_regression():
    sklearn = pytest.importorskip("sklearn.linear_model")
    x, y = _data()
    expected = sklearn.LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, y)
    model, dense = _logistic()
    history = fit_lbfgs(model, x, y[:, None], tolerance=1e-6)
    kernel, bias = (ops.convert_to_numpy(v.value) for v in (dense.kernel, dense.bias))
    np.testing.assert_allclose(kernel[:, 0], expected.coef_[0], rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(bias, expected.intercept_, rtol=2e-3, atol=2e-4)
    losses = history.history["loss"]
    assert losses[-1] < losses[0]
    assert np.all(np.diff(losses) <= 1e-7)


def test_sample_weights_count_as_repeated_samples():
    x, y = _data()
    x, y = x[:40], y[:40, None]
    ends = []
    for data in ((x, y, np.r_[np.full(20, 2.0), np.ones(20)]), (x[_REPEATED], y[_REPEATED], None)):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        fit_lbfgs(model, *data)
        ends.append(ops.convert_to_numpy(model.layers[0].kernel.value))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-3, atol=1e-4)


_REPEATED = np.r_[np.arange(20), np.arange(40)]


def test_dropout_is_off_and_frozen_layers_stay():
    x, y = _data()
    frozen = keras.layers.Dense(4, "tanh")
    layers = [frozen, keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((5,)), *layers])
    frozen.trainable = False
    model.compile(loss="mse")
    before = ops.convert_to_numpy(frozen.kernel.value).copy()
    history = fit_lbfgs(model, x, y[:, None], tolerance=1e-4)
    np.testing.assert_array_equal(ops.convert_to_numpy(frozen.kernel.value), before)
    h = np.c_[ops.convert_to_numpy(frozen(x)), np.ones(len(x))]
    residual = np.linalg.lstsq(h, y, rcond=None)[1][0] / len(x)
    assert history.history["loss"][-1] == pytest.approx(residual, rel=1e-4)


def test_an_earlier_end():
    x, y = _data()
    history = fit_lbfgs(_logistic()[0], x, y[:, None], max_iterations=2)
    assert len(history.epoch) == 3
    assert not history.params["converged"]


def test_advice():
    model = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="a built model"):
        fit_lbfgs(model, np.zeros((2, 1)), np.zeros((2, 1)))
    model(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="compiled with a loss"):
        fit_lbfgs(model, np.zeros((2, 1)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="max_iterations"):
        fit_lbfgs(model, np.zeros((2, 1)), np.zeros((2, 1)), max_iterations=0)
