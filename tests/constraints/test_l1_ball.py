import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import constraints
from kcatalog.conformance.backend import as_numpy
from tests.golden.load import golden

L1Ball = constraints.L1Ball


def reference(v, radius):
    """Figure 1 of Duchi et al. on the magnitudes, as in their section 4."""
    a = [abs(float(x)) for x in v]
    if sum(a) <= radius:
        return list(v)
    mu, rho, total = sorted(a, reverse=True), 0, 0.0
    for j in range(1, len(mu) + 1):
        if mu[j - 1] - (sum(mu[:j]) - radius) / j > 0:
            rho, total = j, sum(mu[:j])
    theta = (total - radius) / rho
    return [np.sign(x) * max(abs(float(x)) - theta, 0.0) for x in v]


@pytest.mark.parametrize("radius", [0.5, 2.5, 100.0])
def test_reference(rng, radius):
    w = rng.normal(size=(9, 4)).astype("float32")
    columns = np.transpose([reference(c, radius) for c in w.T])
    np.testing.assert_allclose(as_numpy(L1Ball(radius, axis=0)(w)), columns, rtol=1e-4, atol=1e-6)
    rows = [reference(r, radius) for r in w]
    np.testing.assert_allclose(as_numpy(L1Ball(radius, axis=-1)(w)), rows, rtol=1e-4, atol=1e-6)
    whole = np.reshape(reference(w.ravel(), radius), w.shape)
    np.testing.assert_allclose(as_numpy(L1Ball(radius)(w)), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("i", [0, 1, 2])
def test_golden(i):
    peer = golden("optax_projections")
    radius = float(peer["radii"][i])
    for axis, name in ((-1, "l1_ball"), (None, "l1_ball_whole")):
        actual = as_numpy(L1Ball(radius, axis)(peer["x"]))
        np.testing.assert_allclose(actual, peer[name][i], rtol=1e-5, atol=1e-6)


def test_axes_of_a_convolution(rng):
    w = rng.normal(size=(3, 2, 4, 5)).astype("float32")
    for axis in ([0, 1, 2], [2, -4, 1], [1, 3]):
        expected = w.copy()
        kept = [a for a in range(4) if a not in [b % 4 for b in axis]]
        for place in np.ndindex(*[w.shape[a] for a in kept]):
            index = [slice(None)] * 4
            for a, i in zip(kept, place, strict=True):
                index[a] = i
            part = w[tuple(index)]
            expected[tuple(index)] = np.reshape(reference(part.ravel(), 1.5), part.shape)
        np.testing.assert_allclose(as_numpy(L1Ball(1.5, axis)(w)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_sum_is_at_most_the_radius(rng, dtype, size):
    w = ops.cast(ops.convert_to_tensor(size * rng.normal(size=(7, 3))), dtype)
    projected = L1Ball(2.0, axis=0)(w)
    assert keras.backend.standardize_dtype(projected.dtype) == dtype
    sums = np.abs(as_numpy(projected)).sum(0)
    np.testing.assert_allclose(sums, 2, rtol=1e-3 if dtype == "float32" else 0.02)


def test_no_such_axis():
    with pytest.raises(ValueError, match=r"L1Ball: `axis` must be axes .* shape \(3,\)"):
        L1Ball(axis=1)(ops.ones((3,)))
