import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(a, b, temperature, normalize):
    """One query at a time: how unlikely is its own counterpart among all?"""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if normalize:
        a, b = ([row / np.linalg.norm(row) for row in rows] for rows in (a, b))
    each = []
    for i in range(len(a)):
        scores = [np.exp(a[i] @ b[j] / temperature) for j in range(len(b))]
        each.append(-np.log(scores[i] / sum(scores)))
    return np.array(each)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("temperature", [0.05, 1])
def test_reference(rng, normalize, temperature):
    a, b = rng.normal(size=(2, 7, 4)).astype("float32")
    there = reference(a, b, temperature, normalize)
    back = reference(b, a, temperature, normalize)
    for symmetric, expected in ((False, there), (True, (there + back) / 2)):
        loss = losses.MultipleNegativesRanking(temperature, normalize, symmetric, reduction=None)
        np.testing.assert_allclose(as_numpy(loss(a, b)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["one_way", "both_ways"])
def test_golden(name):
    peer = golden("pml_two_views")
    symmetric = name == "both_ways"
    loss = losses.MultipleNegativesRanking(float(peer["temperature"]), symmetric=symmetric)
    value, gradients = value_and_gradients(loss, [peer["a"], peer["b"]])
    np.testing.assert_allclose(value, peer[f"{name}_value"], rtol=1e-5)
    np.testing.assert_allclose(gradients, peer[f"{name}_gradient"], rtol=1e-4, atol=1e-6)


def test_both_forms_are_one_loss(rng):
    a, b = rng.normal(size=(2, 7, 4)).astype("float32")
    loss = losses.MultipleNegativesRanking()
    views = as_numpy(loss(a, b))
    for ignored in (np.zeros(7), np.zeros((7, 3)), np.zeros((7, 2, 4))):
        stacked = as_numpy(loss(ignored, np.stack([a, b], axis=1)))
        np.testing.assert_allclose(stacked, views, rtol=1e-6)


def test_shapes_that_do_not_fit():
    loss = losses.MultipleNegativesRanking()
    for y_true, y_pred in (((4, 3), (4, 5)), ((4,), (4, 5)), ((4, 5), (4, 3, 5)), ((3, 5), (4, 5))):
        with pytest.raises(ValueError, match=r"MultipleNegativesRanking: `y_(true|pred)` must be"):
            loss(np.ones(y_true, "float32"), np.ones(y_pred, "float32"))


def test_two_towers_in_fit(rng):
    a, b = keras.Input((5,)), keras.Input((4,))
    towers = keras.layers.Dense(3), keras.layers.Dense(3)
    model = keras.Model([a, b], ops.stack([towers[0](a), towers[1](b)], axis=1))
    before = [np.array(t.kernel) for t in towers]
    model.compile(keras.optimizers.Adam(0.05), losses.MultipleNegativesRanking(symmetric=True))
    x = [rng.normal(size=(21, 5)), rng.normal(size=(21, 4))]
    history = model.fit(x, np.zeros(21), batch_size=7, epochs=6, verbose=0).history["loss"]
    assert history[-1] < history[0]
    for tower, kernel in zip(towers, before, strict=True):
        assert not np.allclose(np.array(tower.kernel), kernel)
