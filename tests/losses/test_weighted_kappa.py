import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden

both = pytest.mark.parametrize("weightage", ["linear", "quadratic"])


def reference(p, y, weightage, epsilon=1e-6):
    """log(1 - κ) from the confusion matrix observed and the one expected by chance."""
    batch, classes = p.shape
    observed, chance = 0.0, 0.0
    for i in range(classes):
        for j in range(classes):
            cost = abs(i - j) ** {"linear": 1, "quadratic": 2}[weightage]
            observed += cost * sum(p[b, j] for b in range(batch) if y[b] == i)
            chance += cost * sum(y == i) * sum(p[:, j].astype("float64")) / batch
    return np.log(observed / chance + epsilon)


@both
def test_reference(rng, weightage):
    p, y = rng.dirichlet(np.ones(4), 9).astype("float32"), rng.integers(0, 4, 9)
    expected = reference(p, y, weightage, 0.01)
    for from_logits, y_pred in ((False, p), (True, np.log(p))):
        loss = losses.WeightedKappa(weightage, 0.01, from_logits)
        np.testing.assert_allclose(as_numpy(loss(y, y_pred)), expected, rtol=1e-4)


@both
def test_golden(weightage):
    peer = golden("tfa_weighted_kappa")
    loss = losses.WeightedKappa(weightage)
    value, (gradient,) = value_and_gradients(
        lambda p: loss(peer["labels"], p), [peer["probabilities"]]
    )
    np.testing.assert_allclose(value, peer[f"{weightage}_loss"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, peer[f"{weightage}_gradient"], rtol=1e-4, atol=1e-6)


def test_weights_weigh_what_a_sample_teaches(rng):
    p, y = rng.dirichlet(np.ones(3), 5).astype("float32"), np.array([0, 1, 2, 2, 1])
    loss = losses.WeightedKappa()
    _, (whole,) = value_and_gradients(lambda p: loss(y, p), [p])
    weights = np.array([0.0, 1.0, 2.0, 0.5, 1.0], "float32")
    _, (weighted,) = value_and_gradients(lambda p: loss(y, p, sample_weight=weights), [p])
    np.testing.assert_allclose(weighted, whole * weights[:, None], rtol=1e-5, atol=1e-7)


def test_perfect_and_chance():
    y = np.array([0, 1, 2, 2])
    perfect = losses.WeightedKappa(epsilon=1e-3)(y, np.eye(3, dtype="float32")[y])
    np.testing.assert_allclose(as_numpy(perfect), np.log(1e-3), rtol=1e-5)
    always_alike = np.full((4, 3), [0.2, 0.3, 0.5], "float32")
    np.testing.assert_allclose(as_numpy(losses.WeightedKappa()(y, always_alike)), 0, atol=1e-5)


def test_one_class_only():
    y = np.zeros(3, "int32")
    for p in (np.eye(3)[y], np.full((3, 3), 1 / 3)):
        p = p.astype("float32")
        value, (gradient,) = value_and_gradients(lambda p: losses.WeightedKappa()(y, p), [p])
        assert np.isfinite(value)
        np.testing.assert_allclose(gradient, np.zeros_like(p), atol=1e-6)


def test_a_miss_by_one_costs_less_than_by_two():
    y = np.array([0, 0, 1, 2])
    near, far = np.eye(3, dtype="float32")[[0, 1, 1, 2]], np.eye(3, dtype="float32")[[0, 2, 1, 2]]
    loss = losses.WeightedKappa()
    assert as_numpy(loss(y, near)) < as_numpy(loss(y, far))
