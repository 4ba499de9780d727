import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(a, b, weights, gamma, epsilon):
    """Section 4.1 of Bardes et al. with the means of their code, one feature at a time."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    n, d = a.shape
    variance = covariance = 0.0
    for x in (a, b):
        for i in range(d):
            centered = x[:, i] - sum(x[:, i]) / n
            spread = np.sqrt(sum(centered**2) / (n - 1) + epsilon)
            variance += max(0.0, gamma - spread) / d / 2
            for j in range(d):
                if j != i:
                    other = x[:, j] - sum(x[:, j]) / n
                    covariance += (sum(centered * other) / (n - 1)) ** 2 / d
    invariance = np.array([sum((a[k] - b[k]) ** 2) / d for k in range(n)])
    return weights[0] * invariance + weights[1] * variance + weights[2] * covariance


@pytest.mark.parametrize("gamma", [0.5, 2])
@pytest.mark.parametrize("shape", [(9, 4), (3, 8)])
def test_reference(rng, gamma, shape):
    a, b = rng.normal(size=(2, *shape)).astype("float32")
    weights = 5.0, 10.0, 2.0
    loss = losses.VICReg(*weights, gamma=gamma, epsilon=1e-3, reduction=None)
    expected = reference(a, b, weights, gamma, 1e-3)
    np.testing.assert_allclose(as_numpy(loss(a, b)), expected, rtol=1e-4)


def test_golden():
    peer = golden("pml_two_views")
    loss = losses.VICReg(*(float(w) for w in peer["weights"]), epsilon=1e-3)
    value, gradients = value_and_gradients(loss, [peer["a"], peer["b"]])
    np.testing.assert_allclose(value, peer["vicreg_value"], rtol=1e-5)
    np.testing.assert_allclose(gradients, peer["vicreg_gradient"], rtol=1e-4, atol=1e-5)


def test_collapsed_features_are_charged(rng):
    a = np.ones((6, 4), "float32")
    value, gradients = value_and_gradients(losses.VICReg(), [a, a])
    np.testing.assert_allclose(value, 25 * (1 - 0.01), rtol=1e-5)
    assert np.all(np.isfinite(gradients))


def test_stacked_views(rng):
    a, b = rng.normal(size=(2, 7, 4)).astype("float32")
    stacked = as_numpy(losses.VICReg()(np.zeros(7), np.stack([a, b], axis=1)))
    np.testing.assert_allclose(stacked, as_numpy(losses.VICReg()(a, b)), rtol=1e-5)
