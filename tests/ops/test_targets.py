import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops.targets import class_targets, like, nan_of, numbers, readable


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool"])
def test_class_indices_of_any_dtype(dtype):
    found = class_targets("Doc", np.array([[0], [1]]).astype(dtype), (2, 3))
    np.testing.assert_array_equal(backend.as_numpy(found.values), [0, 1])
    assert not np.any(backend.as_numpy(found.faults))


def test_a_wide_label_is_not_cut():
    with pytest.raises(ValueError, match="class indices from 0 to 2"):
        class_targets("Doc", np.array([2**32 + 1]), (1, 3))


def test_the_ignored_class_may_lie_anywhere():
    found = class_targets("Doc", np.array([255, 1]), (2, 3), ignore_class=255)
    np.testing.assert_array_equal(backend.as_numpy(found.values), [0, 1])
    np.testing.assert_array_equal(backend.as_numpy(found.counts), [False, True])
    with pytest.raises(ValueError, match="Received: y_true=-1"):
        class_targets("Doc", np.array([-1, 1]), (2, 3), ignore_class=255)


def test_nan_reaches_value_and_gradient_of_its_step_alone():
    x = np.ones((2, 2, 3), "float32")
    x[0, 1, 2] = np.nan
    (found, (gradient,)) = backend.value_and_gradients(
        lambda x: ops.sum(nan_of(x, ops.ones((2, 2)))), [x]
    )
    assert np.isnan(found)
    expected = np.zeros_like(x)
    expected[0, 1] = np.nan
    np.testing.assert_array_equal(gradient, expected)


def test_infinite_numbers_are_no_nan():
    x = np.array([[-np.inf, 1.0]], "float32")
    found, (gradient,) = backend.value_and_gradients(
        lambda x: ops.sum(nan_of(x, ops.ones((1,)))), [x]
    )
    assert found == 0
    assert not gradient.any()


def test_numbers_keeps_tensors_and_lists():
    assert backend.as_numpy(numbers("Doc", "x", ops.ones((2,)))).tolist() == [1, 1]
    assert backend.as_numpy(numbers("Doc", "x", [1, 2], "float32")).tolist() == [1, 2]
    for text in ("ab", b"ab", ["a"], np.array(["a"], object)):
        with pytest.raises(ValueError, match="Doc: `x` must be numbers"):
            numbers("Doc", "x", text)


def test_like_aligns_from_the_left():
    for x in ([[1.0], [2.0]], [[[1.0]], [[2.0]]]):
        found = like("Doc", "x", x, ops.zeros((2, 2)))
        np.testing.assert_array_equal(backend.as_numpy(found), [[1, 1], [2, 2]])
    with pytest.raises(ValueError, match="one number a sample"):
        like("Doc", "x", [1.0], ops.zeros((2, 2)))


def test_readable_gives_up_while_a_step_is_traced():
    assert readable(np.array([1])).tolist() == [1]
    assert readable(ops.ones((1,))).tolist() == [1]
    if backend.COMPILES:
        seen = []
        backend.compiled(lambda x: seen.append(readable(x)) or x)(ops.ones((1,)))
        assert seen[0] is None
