import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.ops.contrast import log_sum_exp, mean_over, similarities


@pytest.mark.parametrize("scale", [1, 1e4])
def test_log_sum_exp_reference(rng, scale):
    s, where = scale * rng.normal(size=(6, 9)), rng.uniform(size=(6, 9)) < 0.3
    where[0], where[1] = True, False
    ours = as_numpy(log_sum_exp(ops.convert_to_tensor(s.astype("float32")), where))[:, 0]
    for row, marked, value in zip(s, where, ours, strict=True):
        kept = row[marked]
        expected = np.logaddexp.reduce(kept) if len(kept) else -1e30
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("offset", [0, 8192])
def test_log_sum_exp_gradient_is_softmax(rng, offset):
    s, where = rng.normal(size=(3, 4)), np.arange(12).reshape(3, 4) >= 4
    shifted = (np.round(64 * s) / 64 + offset).astype("float32")
    s = shifted - np.float32(offset)
    _, (gradient,) = value_and_gradients(lambda s: ops.sum(log_sum_exp(s, where)), [shifted])
    assert np.all(gradient[0] == 0)  # of no columns
    np.testing.assert_allclose(
        gradient[1:], np.exp(s[1:]) / np.exp(s[1:]).sum(1, keepdims=True), 1e-5
    )


def test_mean_over(rng):
    values = rng.normal(size=(3, 4)).astype("float32")
    where = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    means = as_numpy(mean_over(ops.convert_to_tensor(values), where))
    np.testing.assert_allclose(means, [values[0, :2].mean(), 0, values[2].mean()], rtol=1e-5)


def test_similarities_of_anchors(rng):
    x, y = rng.normal(size=(2, 5, 3)).astype("float32")
    x[1] = 0
    s = as_numpy(similarities(ops.convert_to_tensor(x), ops.convert_to_tensor(y), 2))
    lengths = np.linalg.norm(x[0]) * np.linalg.norm(y, axis=1)
    np.testing.assert_allclose(s, [x[0] @ y.T / lengths, np.zeros(5)], rtol=1e-5, atol=1e-7)
    inner = as_numpy(similarities(ops.convert_to_tensor(x), ops.convert_to_tensor(y), None, False))
    np.testing.assert_allclose(inner, x @ y.T, rtol=1e-5, atol=1e-6)
