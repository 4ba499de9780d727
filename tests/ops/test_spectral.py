import numpy as np
import pytest

from kcatalog.conformance import backend
from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.spectral import norm_bound, polar_factor

SHAPES = [(1, 1), (5, 1), (1, 5), (4, 4), (60, 20), (20, 60)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_norm_bound_is_an_upper_one_and_close(rng, shape, size):
    W = (size * rng.normal(size=shape)).astype("float32")
    bound = as_numpy(norm_bound(W)) / np.linalg.norm(W.astype("float64"), 2)
    assert 1 - 1e-5 < bound < 1.001


def test_norm_bound_of_equal_values_and_of_zeros():
    n = 60
    bound = as_numpy(norm_bound(np.eye(n, dtype="float32")))
    np.testing.assert_allclose(bound, n ** (1 / 2**13), rtol=1e-5)
    assert as_numpy(norm_bound(np.zeros((3, 2), "float32"))) == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_polar_factor_is_that_of_the_decomposition(rng, shape, size):
    W = rng.normal(size=shape).astype("float32")
    u, _, v = np.linalg.svd(W.astype("float64"), full_matrices=False)
    np.testing.assert_allclose(as_numpy(polar_factor(np.float32(size) * W)), u @ v, atol=1e-4)


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5])
def test_polar_factor_of_ill_conditioned_matrices(rng, condition):
    u, _, v = np.linalg.svd(rng.normal(size=(30, 10)), full_matrices=False)
    W = (u * np.geomspace(1, 1 / condition, 10)) @ v
    Q = as_numpy(polar_factor(W.astype("float32")))
    np.testing.assert_allclose(Q.T @ Q, np.eye(10), atol=1e-4)
    np.testing.assert_allclose(Q, u @ v, atol=1e-6 * condition + 1e-4)


def test_polar_factor_keeps_directions_that_are_missing():
    Q = as_numpy(polar_factor(np.diag([2.0, 0.0]).astype("float32")))
    np.testing.assert_allclose(Q, [[1, 0], [0, 0]], atol=1e-6)


@pytest.mark.skipif(not backend.COMPILES, reason="PyTorch runs eagerly")
def test_both_compile_by_xla(rng):
    W = rng.normal(size=(48, 16)).astype("float32")
    for function in (norm_bound, polar_factor):
        compiled = backend.compiled(function, xla=True)
        np.testing.assert_allclose(as_numpy(compiled(W)), as_numpy(function(W)), 1e-4, 1e-4)
