import keras
import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

Decorrelation = regularizers.Decorrelation


def reference(h, factor):
    """Equations 1 and 2 of Cogswell et al., one pair of units at a time."""
    h = h.astype("float64").reshape(-1, h.shape[-1])
    total, means = 0.0, [sum(column) / len(h) for column in h.T]
    for i in range(h.shape[1]):
        for j in range(h.shape[1]):
            c = sum((a[i] - means[i]) * (a[j] - means[j]) for a in h) / len(h)
            total += c**2 if i != j else 0.0
    return factor * total / 2


@pytest.mark.parametrize("shape", [(7, 3), (4, 5, 3), (2, 3, 4, 5)])
def test_reference(rng, shape):
    h = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(Decorrelation(0.3)(h))
    np.testing.assert_allclose(penalty / shape[0], reference(h, 0.3), rtol=1e-4)


def test_gradient_is_the_papers(rng):
    h = rng.normal(size=(7, 3)).astype("float32")
    _, (gradient,) = value_and_gradients(Decorrelation(1.0), [h])
    centred = h - h.mean(0)
    C = centred.T @ centred / 7
    expected = 2 / 7 * centred @ (C - np.diag(np.diag(C)))  # equation 4 has half of it
    np.testing.assert_allclose(gradient / 7, expected, rtol=1e-4, atol=1e-5)


def test_in_a_layer_keras_divides_it_by_the_batch(rng):
    layer = keras.layers.Dense(4, activity_regularizer=Decorrelation(0.5))
    h = as_numpy(layer(rng.normal(size=(9, 3))))
    np.testing.assert_allclose(as_numpy(layer.losses[0]), reference(h, 0.5), rtol=1e-4)


def test_one_sample_and_one_unit_pay_nothing(rng):
    for shape in ((1, 4), (6, 1)):
        value, (gradient,) = value_and_gradients(
            Decorrelation(1.0), [rng.normal(size=shape).astype("float32")]
        )
        assert value == 0
        assert not gradient.any()
