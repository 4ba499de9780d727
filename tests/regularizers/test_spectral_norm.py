import numpy as np
import pytest
from keras import ops

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

SpectralNorm = regularizers.SpectralNorm


def reference(w, factor):
    """Equation 3 of Yoshida and Miyato by a singular value decomposition."""
    W = w.astype("float64").reshape(-1, w.shape[-1])
    return factor / 2 * max(np.linalg.svd(W, compute_uv=False)) ** 2


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 2, 3, 5), (1, 1, 3, 7), (5, 1), (1, 5)])
def test_reference(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(SpectralNorm(0.3, iterations=100)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3), rtol=1e-4)


def test_ten_iterations_come_near_from_below(rng):
    for _ in range(5):
        w = rng.normal(size=(200, 50)).astype("float32")
        share = as_numpy(SpectralNorm(1.0, iterations=10)(w)) / reference(w, 1.0)
        assert 0.85 < share < 1.0001


def test_blocks_of_zeros_do_not_hide_the_largest_value():
    """The longest row lies in a block whose singular value is not the largest."""
    w = np.zeros((5, 5), "float32")
    w[0, 0], w[1:, 1:] = 2, 0.9
    np.testing.assert_allclose(as_numpy(SpectralNorm(2.0)(w)), 3.6**2, rtol=1e-4)


def test_gradient_is_along_the_singular_vectors(rng):
    W = rng.normal(size=(5, 3)).astype("float32")
    _, (gradient,) = value_and_gradients(SpectralNorm(1.0, iterations=100), [W])
    u, s, v = np.linalg.svd(W)
    np.testing.assert_allclose(gradient, s[0] * np.outer(u[:, 0], v[0]), rtol=1e-3, atol=1e-3)


def test_not_for_biases():
    with pytest.raises(ValueError, match="Not for biases"):
        SpectralNorm()(ops.ones((3,)))
