import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.test_triplet_semi_hard import DISTANCES, distance


def reference(pairs, same, margin, name):
    """Equation 4 of Hadsell et al. without the halves, one pair at a time."""
    each = []
    for (a, b), y in zip(pairs.astype("float64"), same, strict=True):
        d = distance(a, b, name)
        each.append(d**2 if y else max(0.0, margin - d) ** 2)
    return each


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("normalize", [True, False])
def test_reference(rng, name, normalize):
    pairs, same = rng.normal(size=(9, 2, 4)).astype("float32"), rng.integers(0, 2, 9)
    loss = losses.Contrastive(0.9, name, normalize, reduction=None)
    if normalize:
        pairs = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
    expected = reference(pairs, same, 0.9, name)
    scaled = pairs * rng.uniform(1, 9, (9, 2, 1)) if normalize else pairs
    for y in (same, same[:, None]):
        np.testing.assert_allclose(as_numpy(loss(y, scaled)), expected, rtol=1e-4, atol=1e-6)


def test_golden():
    peer = golden("tfa_contrastive")
    each = losses.Contrastive(float(peer["margin"]), reduction=None)
    value, (gradient,) = value_and_gradients(
        lambda pairs: ops.sum(each(peer["same"], pairs)), [peer["pairs"]]
    )
    np.testing.assert_allclose(as_numpy(each(peer["same"], peer["pairs"])), peer["value"], 1e-5)
    np.testing.assert_allclose(value, peer["value"].sum(), rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-4, atol=1e-5)


def test_distances_as_predictions(rng):
    """Distances, as TensorFlow Addons' loss takes them."""
    pairs, same = rng.normal(size=(5, 2, 3)).astype("float32"), np.array([0, 1, 0, 1, 1])
    expected = as_numpy(losses.Contrastive(2.0)(same, pairs))
    given = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1)
    for y_pred in (given, given[:, None]):
        loss = losses.Contrastive(2.0, distance=None)
        np.testing.assert_allclose(as_numpy(loss(same, y_pred)), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"since `distance` is None.*name the distance"):
        loss(same, pairs)


def test_pairs_at_one_point():
    pairs = np.ones((2, 2, 3), "float32")
    value, (gradient,) = value_and_gradients(
        lambda p: losses.Contrastive(3.0, reduction="sum")(np.array([0, 1]), p), [pairs]
    )
    assert value == 9
    assert np.all(gradient == 0)


def test_shape_of_pairs():
    with pytest.raises(ValueError, match=r"Contrastive: `y_pred` .* \(batch, 2, features\)"):
        losses.Contrastive()(np.ones(4), np.ones((4, 3), "float32"))


def test_siamese_model(rng):
    tower = keras.layers.Dense(3)
    a, b = keras.Input((5,)), keras.Input((5,))
    model = keras.Model([a, b], ops.stack([tower(a), tower(b)], axis=1))
    model.compile("sgd", losses.Contrastive())
    x, y = [rng.normal(size=(8, 5)), rng.normal(size=(8, 5))], np.arange(8) % 2
    history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
