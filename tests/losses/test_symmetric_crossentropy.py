import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients

Symmetric = losses.SymmetricCrossentropy
SETTINGS = [
    {},
    {"alpha": 6.0, "beta": 0.1, "log_zero": -6.0},
    {"alpha": 0.5, "label_smoothing": 0.2},
    {"log_zero": -1.0, "label_smoothing": 0.2},
]


def reference(p, y, alpha=0.1, beta=1.0, log_zero=-4.0, label_smoothing=0.0):
    """The paper's two sums for every sample, class by class, with log 0 = A."""
    each = []
    for row, label in zip(p.astype("float64"), y, strict=True):
        forward = backward = 0.0
        for c, p_c in enumerate(row / sum(row)):
            q = (1 - label_smoothing) * (c == label) + label_smoothing / len(row)
            forward -= q * np.log(p_c)
            backward -= p_c * (max(np.log(q), log_zero) if q > 0 else log_zero)
        each.append(alpha * forward + beta * backward)
    return each


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    loss = Symmetric(**settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else np.exp(s)))
    np.testing.assert_allclose(each, reference(np.exp(s), y, **settings), rtol=1e-5)


@pytest.mark.parametrize("log_zero", [-4.0, -500.0])
def test_the_reverse_term_is_mean_absolute_error(rng, log_zero):
    """With one-hot targets it is -A (1 - p_y) = -A/2 times the sum of |p - q|."""
    p, y = rng.dirichlet(np.ones(5), 6).astype("float32"), rng.integers(0, 5, 6)
    each = as_numpy(Symmetric(0.0, log_zero=log_zero, reduction=None)(y, p))
    error = np.abs(p - np.eye(5)[y]).sum(-1)
    np.testing.assert_allclose(each, -log_zero / 2 * error, rtol=1e-4)


def test_the_reverse_term_bounds_the_pull_of_a_wrong_label():
    s = np.array([[30.0, 0.0, 0.0]], "float32")
    loss = Symmetric(0.0, from_logits=True)
    value, (gradient,) = value_and_gradients(lambda s: loss(np.array([1]), s), [s])
    assert value == pytest.approx(4.0)
    assert np.abs(gradient).max() < 1e-6


def test_the_reverse_terms_sum_over_all_labels_is_constant(rng):
    """Uniform label noise adds a constant (the paper's theorem 1)."""
    s = rng.normal(size=(6, 4)).astype("float32")
    loss = Symmetric(0.0, from_logits=True, reduction=None)
    total = sum(as_numpy(loss(np.full(6, c), s)) for c in range(4))
    np.testing.assert_allclose(total, 4.0 * (4 - 1), rtol=1e-5)


def test_axis(rng):
    s, y = rng.normal(size=(2, 5, 3)).astype("float32"), rng.integers(0, 5, (2, 3))
    settings = {"from_logits": True, "reduction": None, "label_smoothing": 0.1}
    first, last = Symmetric(axis=1, **settings), Symmetric(**settings)
    a, b = as_numpy(first(y, s)), as_numpy(last(ops.convert_to_tensor(y), np.moveaxis(s, 1, -1)))
    np.testing.assert_allclose(a, b, rtol=1e-5)
