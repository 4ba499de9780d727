import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def test_reference(rng):
    """Equation 1 of Orvieto et al. in complex numbers, one state at a time."""
    layer = layers.LRU(2, state_units=4, return_sequences=True)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer.build(x.shape)
    B, C, D, b, nu, theta, log_gamma = (rng.normal(size=w.shape) for w in layer.get_weights())
    layer.set_weights([B, C, D, b, nu, theta, log_gamma])
    lam = np.exp(-np.exp(nu) + 1j * np.exp(theta))
    expected = np.zeros((2, 5, 2))
    for n in range(2):
        h = np.zeros(4, complex)
        for t in range(5):
            for k in range(4):
                new = sum(x[n, t, j] * (B[j, k] + 1j * B[j, 4 + k]) for j in range(3))
                h[k] = lam[k] * h[k] + np.exp(log_gamma[k]) * new
            for u in range(2):
                read = sum(h[k] * (C[k, u] - 1j * C[4 + k, u]) for k in range(4)).real
                expected[n, t, u] = read + sum(x[n, t, j] * D[j, u] for j in range(3)) + b[u]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ring", [(0.0, 1.0), (0.5, 0.9), (1.0, 1.0)])
def test_starts_uniform_in_the_ring(ring):
    layer = layers.LRU(1, state_units=2000, r_min=ring[0], r_max=ring[1], max_phase=0.5)
    layer.build((None, None, 1))
    *_, nu, theta, log_gamma = layer.get_weights()
    modulus, phase = np.exp(-np.exp(nu)), np.exp(theta)
    assert modulus.min() >= ring[0] - 1e-5
    assert modulus.max() <= ring[1] + 1e-5
    middle = (ring[0] ** 2 + ring[1] ** 2) / 2  # half of the ring's area lies within
    np.testing.assert_allclose(np.median(modulus**2), middle, atol=0.03)
    np.testing.assert_allclose(np.quantile(phase, [0.25, 0.75]), [0.125, 0.375], atol=0.02)
    np.testing.assert_allclose(np.exp(2 * log_gamma), 1 - modulus**2, rtol=1e-2, atol=1e-6)


def test_normalization_keeps_the_size_of_noise(rng):
    """White noise of variance 1 becomes states of variance 1, however long they remember."""
    layer = layers.LRU(32, state_units=64, r_min=0.9, r_max=0.99, return_state=True)
    _, re, im = layer(rng.normal(size=(64, 400, 32)).astype("float32"))
    square = ops.convert_to_numpy(ops.mean(re**2 + im**2))
    np.testing.assert_allclose(square, 1, atol=0.15)


def test_ring_is_refused_inside_out():
    with pytest.raises(ValueError, match=r"`r_max` must be r_min \(0.9\) or more"):
        layers.LRU(2, r_min=0.9, r_max=0.5)
