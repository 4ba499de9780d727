import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.ops.probabilities import crossentropy, log_probabilities, logits


@pytest.mark.parametrize("axis", [1, -1])
def test_reference(rng, axis):
    s = rng.normal(size=(2, 3, 4)).astype("float32")
    rows = np.moveaxis(s.astype("float64"), axis, -1)
    log_p = [[[v - np.log(sum(np.exp(row))) for v in row] for row in rows] for rows in rows]
    log_p = np.moveaxis(log_p, -1, axis)
    for y_pred, from_logits in ((s, True), (np.exp(s), False)):
        found = as_numpy(log_probabilities(ops.convert_to_tensor(y_pred), from_logits, axis))
        np.testing.assert_allclose(found, log_p, rtol=1e-5, atol=1e-6)


def test_saturated_logits_keep_their_gradient():
    s = np.array([[1e4, -1e4]], "float32")
    value, (gradient,) = value_and_gradients(lambda s: log_probabilities(s, True)[0, 1], [s])
    assert value == -2e4
    np.testing.assert_array_equal(gradient, [[-1, 1]])


def test_probabilities_are_kept_off_zero_and_one():
    found = as_numpy(log_probabilities(ops.convert_to_tensor([[2.0, 0.0]]), False))
    np.testing.assert_allclose(found, [[np.log1p(-1e-7), np.log(1e-7)]], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_reference_crossentropy(rng, axis, label_smoothing):
    log_p = -rng.exponential(size=(3, 4, 5)).astype("float32")
    rows = np.moveaxis(log_p, axis, -1)
    y = rng.integers(0, rows.shape[-1], rows.shape[:-1])
    expected = np.zeros(y.shape)
    for place in np.ndindex(y.shape):
        for c, value in enumerate(rows[place]):
            q = (1 - label_smoothing) * (c == y[place]) + label_smoothing / rows.shape[-1]
            expected[place] -= q * value
    one_hot = np.moveaxis(np.eye(rows.shape[-1])[y], -1, axis)
    for y_true in (y, np.expand_dims(y, axis), one_hot):
        found = crossentropy(y_true, ops.convert_to_tensor(log_p), axis, label_smoothing)
        np.testing.assert_allclose(as_numpy(found), expected, rtol=1e-5)


def test_logits_of_probabilities_differ_by_a_constant(rng):
    s = rng.normal(size=(3, 4)).astype("float32")
    difference = as_numpy(logits(ops.softmax(s), False)) - s
    np.testing.assert_allclose(difference, difference[:, :1] * np.ones(4), atol=1e-5)
    assert logits(s, True) is s
