import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients

Focal = losses.SparseCategoricalFocalCrossentropy
SETTINGS = [
    {},
    {"gamma": 0.0, "alpha": 1.0},
    {"gamma": 0.5, "label_smoothing": 0.1},
    {"gamma": 3.0, "alpha": [0.1, 0.5, 1.0, 2.0], "label_smoothing": 0.3},
]


def reference(p, y, gamma=2.0, alpha=0.25, label_smoothing=0.0):
    """Equation 5 of Lin et al. for every class, weighted by the smoothed target."""
    each = []
    for row, label in zip(p.astype("float64"), y, strict=True):
        total = 0.0
        for c, p_c in enumerate(row / sum(row)):
            target = (1 - label_smoothing) * (c == label) + label_smoothing / len(row)
            a = alpha[c] if isinstance(alpha, list) else alpha
            total -= target * a * (1 - p_c) ** gamma * np.log(p_c)
        each.append(total)
    return each


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    p = np.exp(s)
    loss = Focal(**settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else p))
    np.testing.assert_allclose(each, reference(p, y, **settings), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_equals_keras_on_one_hot(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    s = s if from_logits else np.exp(s)
    theirs = keras.losses.CategoricalFocalCrossentropy(**settings, from_logits=from_logits)
    ours = Focal(**settings, from_logits=from_logits)
    one_hot = np.eye(4, dtype="float32")[y]
    a, (da,) = value_and_gradients(lambda s: ours(y, s), [s])
    b, (db,) = value_and_gradients(lambda s: theirs(one_hot, s), [s])
    np.testing.assert_allclose(a, b, rtol=1e-5)
    np.testing.assert_allclose(da, db, rtol=1e-4, atol=1e-6)


def test_without_focus_it_is_crossentropy(rng):
    s = (10 * rng.normal(size=(5, 10_000))).astype("float32")
    y = rng.integers(0, 10_000, 5)
    ours = Focal(gamma=0.0, alpha=1.0, from_logits=True)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(as_numpy(ours(y, s)), as_numpy(theirs(y, s)), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_saturated_logits(gamma, label_smoothing):
    s = np.array([[1e4, -1e4, 0.0]] * 2, "float32")
    loss = Focal(gamma, 1.0, True, label_smoothing, reduction="none")
    total, (gradient,) = value_and_gradients(lambda s: ops.sum(loss([0, 1], s)), [s])
    each = as_numpy(loss([0, 1], s))
    share = label_smoothing / 3
    np.testing.assert_allclose(each, [share * 3e4, (1 - 2 * share) * 2e4 + share * 1e4], rtol=1e-4)
    assert np.isfinite(total)
    assert np.all(np.isfinite(gradient))
    assert gradient[1, 1] < -0.8  # Keras's clipping leaves no gradient here


def test_axis(rng):
    s, y = rng.normal(size=(2, 5, 3, 4)).astype("float32"), rng.integers(0, 5, (2, 3, 4))
    alpha = [0.1, 0.2, 0.3, 0.4, 0.5]
    settings = {"from_logits": True, "reduction": None, "label_smoothing": 0.1, "alpha": alpha}
    first, last = Focal(axis=1, **settings), Focal(**settings)
    a, b = as_numpy(first(y, s)), as_numpy(last(y, np.moveaxis(s, 1, -1)))
    assert a.shape == (2, 3, 4)
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_alpha_for_every_class():
    with pytest.raises(ValueError, match="a list of 3, one for each class"):
        Focal(alpha=[0.5, 0.5])(np.array([0]), np.ones((1, 3), "float32"))
    with pytest.raises(ValueError, match=r"`alpha` must be a number in \[0, inf\)"):
        Focal(alpha=[0.5, -1.0])


def test_fit(rng):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile("sgd", Focal(from_logits=True))
    x, y = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)
    history = model.fit(x, y, epochs=3, verbose=0, sample_weight=np.ones(12)).history["loss"]
    assert history[-1] < history[0]
