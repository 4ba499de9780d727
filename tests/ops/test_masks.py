import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops.masks import weight_each, with_mask


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


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 1)])
def test_a_sample_weighs_on_all_its_values(shape):
    w = weight_each(np.reshape([1.0, 2.0], shape), np.zeros((2, 3, 5)))
    np.testing.assert_array_equal(backend.as_numpy(w), [[1, 1, 1], [2, 2, 2]])
    assert weight_each(None, np.zeros((2, 3, 5))) is None
