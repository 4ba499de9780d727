import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.sparsity import group_soft_threshold, soft_threshold


@pytest.mark.parametrize("t", [0.0, 0.3, 10.0])
def test_thresholds_minimize_half_the_square_plus_the_norm(rng, t):
    """No nearby point gives less: ‖v - w‖² / 2 + t Ω(v)."""
    w = rng.normal(size=6).astype("float32")
    for prox, norm in [
        (soft_threshold(w, t), lambda v: np.abs(v).sum()),
        (group_soft_threshold(w, t, 0), np.linalg.norm),
    ]:
        v = as_numpy(prox).astype("float64")

        def objective(v, norm=norm):
            return np.sum((v - w) ** 2) / 2 + t * norm(v)

        for _ in range(200):
            assert objective(v) <= objective(v + 1e-2 * rng.normal(size=6)) + 1e-6


def test_zeros_are_exact_and_a_nan_stays():
    w = np.array([0.1, -0.3, np.nan], "float32")
    np.testing.assert_array_equal(as_numpy(soft_threshold(w, 0.3)), [0, 0, np.nan])
    assert np.isnan(as_numpy(group_soft_threshold(w, 0.3, 0))).all()
    zeros = as_numpy(group_soft_threshold(np.zeros(3, "float32"), 0.3, 0))
    np.testing.assert_array_equal(zeros, 0)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_squares_neither_vanish_nor_overflow(size):
    w = np.full((4,), size, "float32")
    np.testing.assert_allclose(as_numpy(group_soft_threshold(w, size, 0)), size / 2, rtol=1e-4)
