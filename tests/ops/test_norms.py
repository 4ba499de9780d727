import functools

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops.norms import scaled_norm, unit


@pytest.mark.parametrize("scale", [1.0, 1e30, 1e-30])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_reference(rng, scale, axis):
    x = (scale * rng.normal(size=(4, 3))).astype("float32")
    m, r = scaled_norm(ops.convert_to_tensor(x), axis)
    expected = np.sqrt(np.sum(np.square(x.astype("float64")), axis=axis, keepdims=True))
    product = ops.convert_to_numpy(m).astype("float64") * ops.convert_to_numpy(r)
    np.testing.assert_allclose(product, expected, rtol=1e-5)


def test_half_precision_zero_and_nan():
    m, r = scaled_norm(ops.full((3,), 300.0, dtype="float16"))
    assert keras.backend.standardize_dtype(r.dtype) == "float32"
    np.testing.assert_allclose(float(ops.sum(m * r)), 300 * 3**0.5, rtol=1e-3)
    assert [float(ops.sum(v)) for v in scaled_norm(ops.zeros((3,)))] == [1.0, 0.0]
    assert np.isnan(float(ops.sum(scaled_norm(ops.convert_to_tensor([1.0, float("nan")]))[1])))


@pytest.mark.parametrize("scale", [3e38, 1e-30, 1.0])
def test_unit_of_any_length(scale):
    """XLA's `x / m` is `x (1 / m)`, which is 0 for the largest m."""
    x = ops.convert_to_tensor(np.array([[1, -1, 1, 1], [0, 0, 0, 0]], "float32") * scale)
    rows = functools.partial(unit, axis=1)
    for y in (rows(x), backend.compiled(rows, xla=True)(x)):
        np.testing.assert_allclose(y, [[0.5, -0.5, 0.5, 0.5], [0, 0, 0, 0]], rtol=1e-6)
