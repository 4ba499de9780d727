import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden

Asymmetric = losses.AsymmetricCrossentropy
SETTINGS = [
    {},
    {"gamma_negative": 2.0, "gamma_positive": 0.0, "clip": 0.0},
    {"gamma_negative": 0.5, "gamma_positive": 2.0, "clip": 0.3, "label_smoothing": 0.2},
]


def reference(p, y, gamma_negative=4, gamma_positive=1, clip=0.05, label_smoothing=0.0):
    """Equation 7 for every label; the mean over a sample's labels."""
    each = []
    for row, targets in zip(p.astype("float64"), y, strict=True):
        total = 0.0
        for p_k, y_k in zip(row, targets, strict=True):
            y_k = (1 - label_smoothing) * y_k + label_smoothing / 2
            p_m = max(p_k - clip, 0)
            total -= y_k * (1 - p_k) ** gamma_positive * np.log(p_k)
            total -= (1 - y_k) * p_m**gamma_negative * np.log(1 - p_m)
        each.append(total / len(row))
    return each


def sample(rng):
    s = 3 * rng.normal(size=(6, 5)).astype("float32")
    return s, (1 / (1 + np.exp(-s))).astype("float32"), rng.integers(0, 2, (6, 5))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, p, y = sample(rng)
    loss = Asymmetric(**settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else p))
    np.testing.assert_allclose(each, reference(p, y, **settings), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("timm_asymmetric")
    y, labels = peer["targets"], peer["targets"].shape[-1]
    for i, (n, p, m, focusing) in enumerate(peer["settings"]):
        loss = Asymmetric(n, p, m, bool(focusing), from_logits=True, reduction=None)
        each = as_numpy(loss(y, peer["scores"]))
        np.testing.assert_allclose(each, peer["loss"][i].mean(-1), rtol=1e-5, atol=1e-7)
        _, (gradient,) = value_and_gradients(
            lambda s, loss=loss: labels * ops.sum(loss(y, s)), [peer["scores"]]
        )
        np.testing.assert_allclose(gradient, peer["gradient"][i], rtol=1e-4, atol=1e-6)


def test_unfocused_and_unclipped_it_is_binary_crossentropy(rng):
    s, _, y = sample(rng)
    settings = {"from_logits": True, "label_smoothing": 0.1, "axis": 1, "reduction": None}
    ours, theirs = Asymmetric(0, 0, 0, **settings), keras.losses.BinaryCrossentropy(**settings)
    y, s = np.reshape(y, (2, 3, 5)), np.reshape(s, (2, 3, 5))
    expected = as_numpy(theirs(y.astype("float32"), s))
    assert expected.shape == (2, 5)
    np.testing.assert_allclose(as_numpy(ours(y, s)), expected, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("clip", [0.0, 1e-6, 0.5])
def test_extreme_logits(gamma, clip):
    s = np.array([[1e4, -1e4, 0.0, 100.0, -100.0, -87.5]] * 2, "float32")
    y = np.array([[0] * 6, [1] * 6])
    loss = Asymmetric(gamma, gamma, clip, from_logits=True)
    value, (gradient,) = value_and_gradients(lambda s: loss(y, s), [s])
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))
    assert gradient[1, 1] < 0  # a present label that is hopeless still pulls


def test_a_negative_below_the_clip_costs_nothing():
    p = np.array([[0.04], [0.06]], "float32")
    loss = Asymmetric(0.5, reduction=None)
    _, (gradient,) = value_and_gradients(lambda p: ops.sum(loss(np.zeros((2, 1)), p)), [p])
    assert as_numpy(loss(np.zeros((2, 1)), p))[0] == gradient[0, 0] == 0
    assert gradient[1, 0] > 0


def test_targets_without_the_last_axis_are_not_spread_over_the_batch():
    p = np.array([[0.9], [0.2]], "float32")
    loss = Asymmetric(reduction=None)
    expected = as_numpy(loss(np.array([[1], [0]]), p))
    np.testing.assert_array_equal(as_numpy(loss(np.array([1, 0]), p)), expected)
