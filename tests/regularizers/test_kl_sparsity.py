import keras
import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

KLSparsity = regularizers.KLSparsity


def reference(h, factor, target):
    """Section 3 of Ng's notes, one unit at a time."""
    total = 0.0
    for unit in h.astype("float64").reshape(-1, h.shape[-1]).T:
        mean = sum(unit) / len(unit)
        total += target * np.log(target / mean) + (1 - target) * np.log((1 - target) / (1 - mean))
    return factor * total


@pytest.mark.parametrize("target", [0.05, 0.5])
@pytest.mark.parametrize("shape", [(7, 3), (4, 5, 3)])
def test_reference(rng, shape, target):
    h = rng.uniform(size=shape).astype("float32")
    penalty = as_numpy(KLSparsity(0.3, target)(h))
    np.testing.assert_allclose(penalty / shape[0], reference(h, 0.3, target), rtol=1e-4)


def test_gradient_is_that_of_the_notes(rng):
    h = rng.uniform(0.1, 0.9, size=(6, 3)).astype("float32")
    _, (gradient,) = value_and_gradients(KLSparsity(2.0, 0.2), [h])
    mean = h.mean(0)
    expected = 2.0 * (-0.2 / mean + 0.8 / (1 - mean))
    np.testing.assert_allclose(gradient, np.tile(expected, (6, 1)), rtol=1e-4, atol=1e-5)


def test_units_that_are_never_or_always_on_pay_much_and_stay_finite():
    h = np.tile(np.array([[0.0, 1.0]], "float32"), (5, 1))
    value, (gradient,) = value_and_gradients(KLSparsity(1.0, 0.1), [h])
    assert value / 5 > 10
    assert np.all(np.isfinite(gradient))


@pytest.mark.slow
def test_a_layer_comes_to_its_target(rng):
    layer = keras.layers.Dense(8, "sigmoid", activity_regularizer=KLSparsity(1.0, 0.1))
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.Adam(0.05), lambda y_true, y_pred: 0.0 * y_pred[:, 0])
    x = np.tile(rng.normal(size=(64, 4)), (150, 1))
    model.fit(x, np.zeros(len(x)), batch_size=64, verbose=0)
    np.testing.assert_allclose(as_numpy(layer(x[:64])).mean(0), 0.1, atol=0.02)
