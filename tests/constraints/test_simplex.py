import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import constraints
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(v, radius):
    """Figure 1 of Duchi et al., step by step."""
    mu, rho, total = sorted(v.astype("float64"), reverse=True), 0, 0.0
    for j in range(1, len(mu) + 1):
        if mu[j - 1] - (sum(mu[:j]) - radius) / j > 0:
            rho, total = j, sum(mu[:j])
    theta = (total - radius) / rho
    return [max(x - theta, 0.0) for x in v.astype("float64")]


@pytest.mark.parametrize("radius", [1.0, 2.5])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_reference(rng, radius, n):
    w = rng.normal(size=(n, 4)).astype("float32")
    projected = as_numpy(constraints.Simplex(radius=radius)(ops.convert_to_tensor(w)))
    expected = np.transpose([reference(column, radius) for column in w.T])
    np.testing.assert_allclose(projected, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("i", [0, 1])
def test_golden(i):
    peer = golden("optax_projection_simplex")
    constraint = constraints.Simplex(axis=-1, radius=float(peer["scale"][i]))
    projected = as_numpy(constraint(ops.convert_to_tensor(peer["x"])))
    np.testing.assert_allclose(projected, peer["projection"][i], rtol=1e-5, atol=1e-5)
    _, (gradient,) = value_and_gradients(
        lambda x: ops.sum(ops.multiply(constraint(x), peer["cotangent"])), [peer["x"]]
    )
    # with ties on the edge of the support the backends share the slope in ways of their own
    edge = np.isclose(np.sort(peer["x"], -1)[:, 1:], np.sort(peer["x"], -1)[:, :-1]).any(-1)
    np.testing.assert_allclose(gradient[~edge], peer["gradient"][i][~edge], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("common", [0.0, -1e4, 1e4])
def test_sums_to_the_radius(rng, dtype, common):
    w = ops.cast(ops.convert_to_tensor(rng.normal(size=(7, 3)) + common), dtype)
    projected = constraints.Simplex()(w)
    assert keras.backend.standardize_dtype(projected.dtype) == dtype
    np.testing.assert_allclose(
        as_numpy(projected).sum(0), 1, atol=1e-5 if dtype == "float32" else 0.01
    )
    assert np.all(as_numpy(projected) >= 0)


def test_kernel_stays_on_the_simplex(rng):
    dense = keras.layers.Dense(3, kernel_constraint=constraints.Simplex(), use_bias=False)
    model = keras.Sequential([keras.Input((5,)), dense])
    model.compile("sgd", "mse")
    model.fit(rng.normal(size=(8, 5)), rng.normal(size=(8, 3)), epochs=2, verbose=0)
    kernel = as_numpy(dense.kernel)
    np.testing.assert_allclose(kernel.sum(0), 1, atol=1e-5)
    assert np.all(kernel >= 0)


def test_no_such_axis():
    with pytest.raises(ValueError, match=r"Simplex: `axis` must be .* shape \(3,\)"):
        constraints.Simplex(axis=1)(ops.ones((3,)))
