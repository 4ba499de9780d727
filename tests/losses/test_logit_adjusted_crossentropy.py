import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients

Adjusted = losses.LogitAdjustedCrossentropy
COUNTS = [1000, 100, 10, 1]


def reference(s, y, counts=COUNTS, tau=1.0, label_smoothing=0.0):
    """Equation 10 of Menon et al.: adjusted logits in a softmax, one sample at a time."""
    each = []
    for row, label in zip(s.astype("float64"), y, strict=True):
        e = [np.exp(v + tau * np.log(n / sum(counts))) for v, n in zip(row, counts, strict=True)]
        total = 0.0
        for c, e_c in enumerate(e):
            q = (1 - label_smoothing) * (c == label) + label_smoothing / len(e)
            total -= q * np.log(e_c / sum(e))
        each.append(total)
    return each


@pytest.mark.parametrize("settings", [{}, {"tau": 0.5, "label_smoothing": 0.2}])
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    loss = Adjusted(COUNTS, **settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else np.exp(s)))
    np.testing.assert_allclose(each, reference(s, y, **settings), rtol=1e-5, atol=1e-6)


def test_shares_mean_the_same_as_counts(rng):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    shares = [n / 1111 for n in COUNTS]
    a, b = (as_numpy(Adjusted(c, from_logits=True)(y, s)) for c in (COUNTS, shares))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_equal_counts_change_nothing_along_any_axis(rng):
    s, y = rng.normal(size=(2, 4, 3)).astype("float32"), rng.integers(0, 4, (2, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    ours = Adjusted([7] * 4, 2.0, from_logits=True, axis=1, reduction=None)
    expected = as_numpy(theirs(y, np.moveaxis(s, 1, -1)))
    np.testing.assert_allclose(as_numpy(ours(y, s)), expected, rtol=1e-5, atol=1e-6)


def test_its_optimum_is_the_balanced_classifier():
    """On 9 : 1 without features cross-entropy ends at log 9 and log 1, this loss undecided."""
    y = np.array([0] * 9 + [1])
    for loss, optimum in [
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), [np.log(9), 0]),
        (Adjusted([9, 1], from_logits=True), [0, 0]),
    ]:
        s = np.tile(optimum, (10, 1)).astype("float32")
        _, (gradient,) = value_and_gradients(lambda s, loss=loss: loss(y, s), [s])
        np.testing.assert_allclose(gradient.sum(0), 0, atol=1e-6)


def test_counts_must_fit_the_classes():
    with pytest.raises(ValueError, match=r"`counts` must be a list of 3.*counts=\[1, 2\]"):
        Adjusted([1, 2])(np.array([0]), np.ones((1, 3), "float32"))
