import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.weights import Weights, without_nan


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (3, 3)])
def test_weights_take_the_shape_of_the_values(rng, shape):
    w = rng.uniform(size=shape).astype("float32")
    expected = np.broadcast_to(w[:, None] if shape == (3,) else w, (3, 3))
    np.testing.assert_array_equal(as_numpy(Weights("Test", w, None)(ops.zeros((3, 3)))), expected)


def test_a_column_for_samples_of_one_value():
    assert tuple(Weights("Test", np.ones((3, 1)), None)(ops.zeros(3)).shape) == (3,)


@pytest.mark.parametrize("shape", [(1,), (4,), (4, 3), (3, 2)])
def test_weights_of_others_are_refused(shape):
    with pytest.raises(ValueError, match="Test: `sample_weight` must be one number a sample"):
        Weights("Test", np.ones(shape), None)(ops.zeros((3, 3)))


def test_nan_goes_to_the_weight_of_what_counts():
    x = np.zeros((2, 3, 2), "float32")
    x[0, 0, 1] = x[0, 1, 0] = x[1, 2, 0] = np.nan
    mask = ops.convert_to_tensor([[True, False, True], [True, True, True]])
    weights = Weights("Test", [1.0, 0.0], mask, ops.convert_to_tensor(x))
    expected = [[np.nan, 0, 1], [0, 0, 0]]
    np.testing.assert_array_equal(as_numpy(weights(ops.zeros((2, 3)))), expected)
    np.testing.assert_array_equal(as_numpy(weights(ops.zeros((2,)))), [np.nan, 0])
    assert np.all(np.isfinite(as_numpy(without_nan(ops.convert_to_tensor(x)))))


def test_nan_in_steps_that_do_not_count_is_none():
    x = np.zeros((1, 2, 2), "float32")
    x[0, 1] = np.nan
    weights = Weights(
        "Test", None, ops.convert_to_tensor([[True, False]]), ops.convert_to_tensor(x)
    )
    np.testing.assert_array_equal(as_numpy(weights(ops.zeros((1,)))), [1.0])
