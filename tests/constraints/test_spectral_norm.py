import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import constraints
from kcatalog.conformance.backend import as_numpy

SpectralNorm = constraints.SpectralNorm


def reference(w, bound):
    """Equation 5 of Gouk et al. by a singular value decomposition."""
    W = w.astype("float64").reshape(-1, w.shape[-1])
    sigma = max(np.linalg.svd(W, compute_uv=False))
    return w / max(1.0, sigma / bound)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 2, 3, 5), (1, 1, 3, 7), (5, 1), (80, 40)])
@pytest.mark.parametrize("bound", [0.5, 100.0])
def test_reference(rng, shape, bound):
    w = rng.normal(size=shape).astype("float32")
    constrained = as_numpy(SpectralNorm(bound)(ops.convert_to_tensor(w)))
    np.testing.assert_allclose(constrained, reference(w, bound), rtol=2e-3)
    if bound == 100.0:
        np.testing.assert_array_equal(constrained, w)


def test_the_bound_holds_where_power_iteration_converges_slowly():
    """Every power iteration sees a mixture of singular values that are nearly equal."""
    w = np.diag(np.linspace(1, 1.01, 30)).astype("float32")
    norm = np.linalg.norm(as_numpy(SpectralNorm(0.7)(ops.convert_to_tensor(w))), 2)
    assert 0.7 * 0.998 < norm < 0.7 * (1 + 1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtype_is_kept(rng, dtype):
    w = ops.cast(ops.convert_to_tensor(rng.normal(size=(6, 4))), dtype)
    constrained = SpectralNorm(0.5)(w)
    assert keras.backend.standardize_dtype(constrained.dtype) == dtype
    np.testing.assert_allclose(np.linalg.norm(as_numpy(constrained), 2), 0.5, rtol=0.01)


def test_not_for_biases():
    with pytest.raises(ValueError, match="Not for biases"):
        SpectralNorm()(ops.ones((3,)))
