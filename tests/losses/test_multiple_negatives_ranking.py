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


@pytest.mark.parametrize("form", [np.int64, np.uint8, "float32", "column"])
def test_rows_with_one_id_are_not_each_others_negatives(rng, form):
    """Each query against its own document and those of other ids, by a plain loop."""
    ids, (a, b) = np.array([3, 1, 3, 0, 3, 1]), rng.normal(size=(2, 6, 4)).astype("float32")
    given = ids[:, None] if form == "column" else ids.astype(form)
    for symmetric in (False, True):
        loss = losses.MultipleNegativesRanking(0.5, False, symmetric, ids=True, reduction=None)
        each = as_numpy(loss(given, np.stack([a, b], axis=1)))
        for i in range(6):
            kept = [i, *(j for j in range(6) if ids[j] != ids[i])]
            there = reference(a[[i]].repeat(len(kept), 0), b[kept], 0.5, False)[0]
            back = reference(b[[i]].repeat(len(kept), 0), a[kept], 0.5, False)[0]
            expected = (there + back) / 2 if symmetric else there
            np.testing.assert_allclose(each[i], expected, rtol=1e-4)


def test_ids_that_are_none(rng):
    pairs = rng.normal(size=(4, 2, 3)).astype("float32")
    loss = losses.MultipleNegativesRanking(ids=True)
    for wrong in (pairs[:, 0], np.arange(3), np.array(["a", "b", "c", "d"])):
        with pytest.raises(ValueError, match="MultipleNegativesRanking: `y_true` must be"):
            loss(wrong, pairs)
    with pytest.raises(ValueError, match="`y_pred` must be of shape"):
        loss(np.arange(4), pairs[:, 0])


def test_shapes_that_do_not_fit():
    loss = losses.MultipleNegativesRanking()
    for y_true, y_pred in (((4, 3), (4, 5)), ((4,), (4, 5)), ((4, 5), (4, 3, 5)), ((3, 5), (4, 5))):
        with pytest.raises(ValueError, match=r"MultipleNegativesRanking: `y_(true|pred)` must be"):
            loss(np.ones(y_true, "float32"), np.ones(y_pred, "float32"))


@pytest.mark.slow
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
