import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.ops import pairwise_distances
from kcatalog.ops.distances import paired_distances
from tests.losses.test_triplet_semi_hard import DISTANCES, distance


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_reference(rng, metric, shift):
    x, y = (rng.normal(size=(n, 4)).astype("float32") + np.float32(shift) for n in (5, 7))
    for other in (None, y):
        D = as_numpy(pairwise_distances(x, other, metric))
        rows = x if other is None else other
        each = [
            [distance(a, b, metric) for b in rows.astype("float64")] for a in x.astype("float64")
        ]
        np.testing.assert_allclose(D, each, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("metric", DISTANCES)
def test_gradient_is_zero_between_duplicates(rng, metric):
    x = np.repeat(rng.normal(size=(1, 4)), 3, axis=0).astype("float32")
    D, (gradient,) = value_and_gradients(
        lambda x: ops.sum(pairwise_distances(x, None, metric)), [x]
    )
    np.testing.assert_allclose(D, 0, atol=1e-5)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_diagonal_is_exactly_zero_and_nothing_negative(rng, metric, dtype):
    x = ops.cast(ops.convert_to_tensor(10 * rng.normal(size=(33, 17))), dtype)
    D = as_numpy(pairwise_distances(x, None, metric))
    assert np.all(np.diag(D) == 0)
    assert np.all(D >= 0)
    assert D.dtype == "float32"


def test_gradient(rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    w = rng.normal(size=(4, 4)).astype("float32")
    weights = ops.convert_to_tensor(w)
    _, (gradient,) = value_and_gradients(lambda x: ops.sum(weights * pairwise_distances(x)), [x])
    expected = np.zeros((4, 3))
    for i in range(4):
        for j in range(4):
            if i != j:
                unit = (x[i] - x[j]) / np.linalg.norm(x[i] - x[j])
                expected[i] += w[i, j] * unit
                expected[j] -= w[i, j] * unit
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_cosine_of_tiny_huge_and_zero_rows():
    x = np.array([[1e-30, 0], [0, 1e30], [0, 0]], "float32")
    D, (gradient,) = value_and_gradients(
        lambda x: ops.sum(pairwise_distances(x, None, "cosine")), [x]
    )
    np.testing.assert_allclose(D, 6.0)
    assert not np.any(np.isnan(gradient))


@pytest.mark.parametrize("form", ["pairwise", "paired"])
def test_cosine_of_nearly_parallel_rows(rng, form):
    """Their distance of about 1e-8 keeps its digits, and so does its gradient."""
    x = (1 + 1e-4 * rng.normal(size=(6, 5))).astype("float32")
    w = rng.normal(size=(6, 6)).astype("float32")

    def pairs(x):
        return pairwise_distances(x, None, "cosine") if form == "pairwise" else _paired_with_all(x)

    def reference_of(x):
        return np.array([[distance(a, b, "cosine") for b in x] for a in x])

    exact = x.astype("float64")
    D = as_numpy(pairs(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(D, reference_of(exact), rtol=1e-2, atol=1e-12)
    weights = ops.convert_to_tensor(w)
    _, (gradient,) = value_and_gradients(lambda x: ops.sum(weights * pairs(x)), [x])
    for i, j in ((0, 0), (3, 2)):
        step = np.zeros_like(exact)
        step[i, j] = 1e-6
        rise = np.sum(w * (reference_of(exact + step) - reference_of(exact - step)))
        assert gradient[i, j] == pytest.approx(rise / 2e-6, rel=2e-2)


def _paired_with_all(x):
    D = paired_distances(ops.repeat(x, 6, 0), ops.tile(x, (6, 1)), "cosine")
    return ops.reshape(D, (6, 6))


@pytest.mark.parametrize("metric", DISTANCES)
def test_nan_stays_nan(metric):
    x = np.array([[1.0, 2.0], [np.nan, 1.0], [2.0, 0.0]], "float32")
    for D in (pairwise_distances(x, None, metric), pairwise_distances(x, x.copy(), metric)):
        assert np.all(np.isnan(as_numpy(D)[1]))
    assert np.isnan(as_numpy(paired_distances(x, x[::-1].copy(), metric))[1])


@pytest.mark.parametrize("metric", DISTANCES)
def test_no_rows(metric):
    x, none = np.ones((3, 2), "float32"), np.ones((0, 2), "float32")
    assert tuple(pairwise_distances(none, x, metric).shape) == (0, 3)
    assert tuple(pairwise_distances(x, none, metric).shape) == (3, 0)
    assert tuple(pairwise_distances(none, None, metric).shape) == (0, 0)
