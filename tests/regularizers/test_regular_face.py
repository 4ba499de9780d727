import keras
import numpy as np
import pytest

from kcatalog import layers, regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

RegularFace = regularizers.RegularFace


def reference(w, factor):
    """Equation 3 of Zhao et al., one pair of classes at a time."""
    unit = [v / np.linalg.norm(v) for v in w.astype("float64")]
    nearest = [max(sum(a * b) for j, b in enumerate(unit) if j != i) for i, a in enumerate(unit)]
    return factor * sum(nearest) / len(nearest)


@pytest.mark.parametrize("shape", [(2, 3), (5, 3), (4, 8)])
def test_reference(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    np.testing.assert_allclose(
        as_numpy(RegularFace(0.3)(w)), reference(w, 0.3), rtol=1e-4, atol=1e-6
    )


def test_single_and_zero_vectors_are_finite(rng):
    w = rng.normal(size=(3, 4)).astype("float32")
    w[1] = 0
    for each in (w, w[:1]):
        value, (gradient,) = value_and_gradients(RegularFace(), [each])
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))
    with pytest.raises(ValueError, match=r"\(classes, features\)"):
        RegularFace()(np.ones((3,), "float32"))


@pytest.mark.slow
def test_it_spreads_the_vectors_of_classes():
    """Three vectors in the plane come to lie 120 degrees apart."""
    layer = layers.Prototypes(3, regularizer=RegularFace(1.0))
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.Adam(0.02), lambda y_true, y_pred: 0.0 * y_pred[:, 0])
    model.fit(np.ones((800, 2)), np.zeros(800), batch_size=4, verbose=0)
    np.testing.assert_allclose(as_numpy(model.losses[0]), -0.5, atol=0.05)
