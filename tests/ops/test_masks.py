import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops.masks import both, counted, mask_of, with_mask


class Masked(keras.losses.Loss):
    """The prediction itself where the target is not negative."""

    def call(self, y_true, y_pred):
        return with_mask(y_pred, y_true >= 0)


Y_TRUE = np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]], "float32")
Y_PRED = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], "float32")


def test_keras_counts_what_is_left():
    assert backend.as_numpy(Masked()(Y_TRUE, Y_PRED)) == 2.5
    assert backend.as_numpy(Masked(reduction="sum")(Y_TRUE, Y_PRED)) == 5
    assert backend.as_numpy(Masked()(Y_TRUE[1:], Y_PRED[1:])) == 0
    each = backend.as_numpy(Masked(reduction=None)(Y_TRUE, Y_PRED))
    np.testing.assert_array_equal(each, [[1, 0, 4], [0, 0, 0]])


def test_float64_stays():
    with backend.float64():
        values = ops.convert_to_tensor(np.ones(2))
        assert with_mask(values, values > 0).dtype == values.dtype


@pytest.mark.skipif(not backend.COMPILES, reason="eager only")
def test_compiled():
    function = backend.compiled(Masked(), xla=True)
    y = ops.convert_to_tensor(Y_TRUE), ops.convert_to_tensor(Y_PRED)
    assert backend.as_numpy(function(*y)) == 2.5


def test_the_tensor_given_keeps_its_own_mask():
    values = ops.ones((2, 3))
    assert mask_of(with_mask(values, ops.ones((2, 3), "bool"))) is not None
    assert mask_of(values) is None


def test_masks_of_different_ranks_are_joined_from_the_left():
    samples, steps = np.array([True, False]), np.array([[True, False], [True, True]])
    joined = both(ops.convert_to_tensor(samples), ops.convert_to_tensor(steps))
    np.testing.assert_array_equal(backend.as_numpy(joined), [[True, False], [False, False]])


def test_counted_follows_the_values():
    x = with_mask(ops.ones((2, 2, 5)), ops.convert_to_tensor([[True, False], [True, True]]))
    np.testing.assert_array_equal(backend.as_numpy(counted(x, ops.ones((2, 2)))), [[1, 0], [1, 1]])
