import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import constraints
from kcatalog.conformance.backend import as_numpy

Stiefel = constraints.Stiefel


def reference(w):
    """The polar factor by a singular value decomposition."""
    u, _, v = np.linalg.svd(w.astype("float64").reshape(-1, w.shape[-1]), full_matrices=False)
    return (u @ v).reshape(w.shape)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 2, 3, 5), (1, 1, 3, 7), (5, 1), (40, 20)])
def test_reference(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    np.testing.assert_allclose(
        as_numpy(Stiefel()(ops.convert_to_tensor(w))), reference(w), atol=1e-4
    )


def test_nothing_orthonormal_is_nearer(rng):
    w = rng.normal(size=(6, 3))
    nearest = np.linalg.norm(as_numpy(Stiefel()(w.astype("float32"))) - w)
    for _ in range(200):
        q, _ = np.linalg.qr(rng.normal(size=(6, 3)))
        assert np.linalg.norm(q - w) > nearest


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtype_is_kept(rng, dtype):
    w = ops.cast(ops.convert_to_tensor(rng.normal(size=(6, 3))), dtype)
    q = Stiefel()(w)
    assert keras.backend.standardize_dtype(q.dtype) == dtype
    q = as_numpy(q)
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=0.02)


def test_a_kernel_stays_orthonormal_in_training(rng):
    dense = keras.layers.Dense(3, kernel_constraint=Stiefel(), use_bias=False)
    model = keras.Sequential([keras.Input((5,)), dense])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(rng.normal(size=(32, 5)), rng.normal(size=(32, 3)), batch_size=8, verbose=0)
    kernel = as_numpy(dense.kernel)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(3), atol=1e-5)


def test_not_for_biases():
    with pytest.raises(ValueError, match="Not for biases"):
        Stiefel()(ops.ones((3,)))
