import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

SpectralRestrictedIsometry = regularizers.SpectralRestrictedIsometry


def reference(w, factor):
    """Equation 7 of Bansal et al. by the eigenvalues themselves."""
    W = w.astype("float64").reshape(-1, w.shape[-1])
    gram = W.T @ W if W.shape[0] >= W.shape[1] else W @ W.T
    return factor * max(abs(v) for v in np.linalg.eigvalsh(gram - np.eye(len(gram))))


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 2, 3, 5), (1, 1, 3, 7)])
@pytest.mark.parametrize("scale", [0.1, 1.0])  # the largest eigenvalue is negative, and positive
def test_reference(rng, shape, scale):
    w = (scale * rng.normal(size=shape)).astype("float32")
    penalty = as_numpy(SpectralRestrictedIsometry(0.3, iterations=300)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3), rtol=1e-3)


def test_ten_iterations_come_near_from_below(rng):
    for _ in range(5):
        w = (rng.normal(size=(200, 50)) / 200**0.5).astype("float32")
        share = as_numpy(SpectralRestrictedIsometry(1.0, iterations=10)(w)) / reference(w, 1.0)
        assert 0.85 < share < 1.0001


def test_orthonormal_kernels_pay_nothing(rng):
    q, _ = np.linalg.qr(rng.normal(size=(6, 3)))
    for w in (q, q.T):
        value, (gradient,) = value_and_gradients(
            SpectralRestrictedIsometry(1.0), [w.astype("float32")]
        )
        np.testing.assert_allclose(value, 0, atol=1e-6)
        assert np.all(np.isfinite(gradient))


def test_gradient_is_that_of_the_largest_eigenvalue(rng):
    W = rng.normal(size=(5, 3)).astype("float32")
    _, (gradient,) = value_and_gradients(SpectralRestrictedIsometry(1.0, iterations=300), [W])
    values, vectors = np.linalg.eigh(W.T @ W - np.eye(3))
    k = np.argmax(np.abs(values))
    expected = 2 * np.sign(values[k]) * W @ np.outer(vectors[:, k], vectors[:, k])
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-3)
