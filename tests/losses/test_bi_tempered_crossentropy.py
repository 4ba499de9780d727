import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.ops.test_tempered import reference as tempered_softmax

BiTempered = losses.BiTemperedCrossentropy
SETTINGS = [
    {},
    {"t1": 0.0, "t2": 4.0},
    {"t1": 1.0, "t2": 1.5, "label_smoothing": 0.2},
    {"t1": 0.5, "t2": 1.01, "label_smoothing": 0.2},
]


def log_t(u, t):
    return np.log(u) if t == 1 else (u ** (1 - t) - 1) / (1 - t)


def reference(s, y, t1=0.8, t2=1.2, label_smoothing=0.0):
    """The paper's Bregman divergence, class by class, after a softmax found by bisection."""
    each = []
    for row, label in zip(s, y, strict=True):
        total = 0.0
        for c, p in enumerate(tempered_softmax(row, t2)):
            q = (1 - label_smoothing) * (c == label) + label_smoothing / len(row)
            total += q * (log_t(q, t1) - log_t(p, t1)) if q > 0 else 0
            total -= (q ** (2 - t1) - p ** (2 - t1)) / (2 - t1)
        each.append(total)
    return each


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    loss = BiTempered(**settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else np.exp(s)))
    np.testing.assert_allclose(each, reference(s, y, **settings), rtol=1e-4, atol=1e-5)


def test_golden():
    peer = golden("pytorch_optimizer_bi_tempered")
    y, classes = peer["labels"], peer["scores"].shape[-1]
    for i, (t1, t2, smoothing) in enumerate(peer["settings"]):
        smoothing *= classes / (classes - 1)
        loss = BiTempered(t1, t2, True, smoothing, reduction=None)
        each = as_numpy(loss(y, peer["scores"]))
        np.testing.assert_allclose(each, peer["loss"][i], rtol=2e-5, atol=1e-6)
        _, (gradient,) = value_and_gradients(
            lambda s, loss=loss: ops.sum(loss(y, s)), [peer["scores"]]
        )
        np.testing.assert_allclose(gradient, peer["gradient"][i], rtol=1e-4, atol=2e-6)


def test_at_temperatures_1_it_is_crossentropy_along_any_axis(rng):
    s, y = rng.normal(size=(2, 4, 3)).astype("float32"), rng.integers(0, 4, (2, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    ours = BiTempered(1.0, 1.0, from_logits=True, axis=1, reduction=None)
    expected = as_numpy(theirs(y, np.moveaxis(s, 1, -1)))
    np.testing.assert_allclose(as_numpy(ours(y, s)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("t1", [0.0, 0.8])
def test_a_wrong_label_costs_no_more_than_the_bound(t1):
    s = np.array([[0.0, 1e4], [0.0, 100.0]], "float32")
    each = as_numpy(BiTempered(t1, 1.0, from_logits=True, reduction=None)(np.array([0, 0]), s))
    np.testing.assert_allclose(each, 1 / (1 - t1), rtol=1e-5)


def test_heavy_tails_keep_the_gradient_of_a_hopeless_sample():
    s = np.array([[0.0, 1e4]], "float32")
    loss = BiTempered(0.8, 4.0, from_logits=True)
    value, (gradient,) = value_and_gradients(lambda s: loss(np.array([0]), s), [s])
    assert value < 5
    assert np.all(np.isfinite(gradient))
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_two_logits_are_the_binary_form(rng):
    """Only the difference of the two counts, so (0, s) does it."""
    s, y = rng.normal(size=8).astype("float32"), rng.integers(0, 2, 8)
    loss = BiTempered(from_logits=True, reduction=None)
    a = as_numpy(loss(y, np.stack([0 * s, s], -1)))
    b = as_numpy(loss(y, np.stack([-s / 2, s / 2], -1)))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
