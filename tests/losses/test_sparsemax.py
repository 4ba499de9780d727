import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def threshold(z):
    """τ by algorithm 1 of the paper: the largest k whose k-th score is in the support."""
    z = np.sort(z)[::-1]
    k = max(k for k in range(1, len(z) + 1) if 1 + k * z[k - 1] > sum(z[:k]))
    return (sum(z[:k]) - 1) / k


def reference(scores, q):
    """Equation 20, and the gradient sparsemax(z) - q, one sample at a time."""
    values, gradients = [], []
    for z, target in zip(scores.astype("float64"), q, strict=True):
        τ = threshold(z)
        value = sum(t * t for t in target) / 2
        for z_j, q_j in zip(z, target, strict=True):
            value += (z_j**2 - τ**2) / 2 * (z_j > τ) - q_j * z_j
        values.append(value)
        gradients.append(np.maximum(0, z - τ) - target)
    return values, gradients


@pytest.mark.parametrize("classes", [2, 100])
def test_reference(rng, classes):
    z, y = rng.normal(size=(8, classes)).astype("float32"), rng.integers(0, classes, 8)
    z[0, y[0]] += 9  # leads by more than 1: no loss
    soft = rng.dirichlet(np.ones(classes), 8).astype("float32")
    for y_true, q in ((y, np.eye(classes)[y]), (soft, soft)):
        values, gradients = reference(z, q)
        each = as_numpy(losses.Sparsemax(reduction=None)(y_true, z))
        np.testing.assert_allclose(each, values, rtol=1e-4, atol=1e-5)
        total = losses.Sparsemax(reduction="sum")
        _, (gradient,) = value_and_gradients(lambda s, t=y_true, f=total: f(t, s), [z])
        np.testing.assert_allclose(gradient, gradients, atol=1e-5)


@pytest.mark.parametrize("name", ["optax_sparsemax", "tfa_sparsemax"])
def test_golden(name):
    peer = golden(name)
    each = as_numpy(losses.Sparsemax(reduction=None)(peer["targets"], peer["scores"]))
    np.testing.assert_allclose(each, peer["loss"], rtol=1e-5, atol=2e-6)
    total = losses.Sparsemax(reduction="sum")
    _, (gradient,) = value_and_gradients(lambda z: total(peer["targets"], z), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], atol=1e-6)


def test_a_lead_of_one_is_enough():
    z = np.array([[1.0, 0.0, -2.0], [1e4, -1e4, 0.0], [0.5, -0.5, -0.5]], "float32")
    value, (gradient,) = value_and_gradients(lambda z: losses.Sparsemax()([0, 0, 0], z), [z])
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(z))


def test_exact_far_from_zero():
    z = np.array([[0.5, 1.0, -3.0]], "float32")
    far = as_numpy(losses.Sparsemax()([0], z + np.float32(8192)))
    assert far == 0.5625


def test_a_class_ruled_out_by_minus_infinity():
    z = np.array([[0.5, 1.0, -np.inf]], "float32")
    value, (gradient,) = value_and_gradients(lambda z: losses.Sparsemax()([0], z), [z])
    assert value == 0.5625
    np.testing.assert_allclose(gradient, [[-0.75, 0.75, 0]])


def test_one_loss_for_each_pixel(rng):
    z, y = rng.normal(size=(2, 3, 4, 5)).astype("float32"), rng.integers(0, 5, (2, 3, 4))
    each = as_numpy(losses.Sparsemax(reduction=None)(y, z))
    flat = as_numpy(losses.Sparsemax(reduction=None)(y.ravel(), ops.reshape(z, (-1, 5))))
    np.testing.assert_allclose(each, flat.reshape(2, 3, 4), rtol=1e-5)
