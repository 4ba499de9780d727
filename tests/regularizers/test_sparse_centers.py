import keras
import numpy as np
import pytest

from kcatalog import layers, regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(w, factor):
    """Section 3.3 of Qian et al., one pair of centers at a time."""
    classes, centers, _ = w.shape
    total = 0.0
    for j in range(classes):
        unit = [v / np.linalg.norm(v) for v in w[j].astype("float64")]
        for t in range(centers):
            for s in range(t):
                total += np.sqrt(sum((unit[s] - unit[t]) ** 2))
    return factor * total / (classes * centers * (centers - 1))


@pytest.mark.parametrize("shape", [(3, 2, 4), (5, 10, 16), (1, 3, 2)])
def test_reference(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    value = as_numpy(regularizers.SparseCenters(0.3)(w))
    np.testing.assert_allclose(value, reference(w, 0.3), rtol=1e-5)


def test_golden():
    peer = golden("pml_prototypes")
    penalty = regularizers.SparseCenters(1.0)
    value, (gradient,) = value_and_gradients(penalty, [peer["several"]])
    np.testing.assert_allclose(value, peer["sparse_centers"], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["sparse_centers_w"], rtol=1e-4, atol=1e-6)


def test_centers_that_point_one_way_and_a_single_one_pay_nothing():
    one = np.array([[[3.0, 4.0], [6.0, 8.0]]], "float32")
    for w in (one, one[:, :1], one[:, 0], 0 * one):
        value, (gradient,) = value_and_gradients(regularizers.SparseCenters(), [w])
        np.testing.assert_allclose(value, 0, atol=1e-3)
        assert np.all(np.isfinite(gradient))
    with pytest.raises(ValueError, match=r"\(classes, per_class, features\)"):
        regularizers.SparseCenters()(np.ones((3,), "float32"))


@pytest.mark.slow
def test_it_merges_centers(rng):
    layer = layers.Prototypes(1, 3, regularizer=regularizers.SparseCenters(0.2))
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.Adam(0.02), lambda y_true, y_pred: 0.0 * y_pred[:, 0, 0])
    x = np.tile(rng.normal(size=(4, 4)), (80, 1))  # one epoch: each costs more than its steps
    model.fit(x, np.zeros(320), batch_size=4, verbose=0)
    assert as_numpy(model.losses[0]) < 0.02
