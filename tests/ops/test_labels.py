import keras
import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.labels import class_indices, flat_labels, is_distribution, per_class, signs


def test_forms():
    for labels in ([2, 0, 1], [[2], [0], [1]]):
        np.testing.assert_array_equal(as_numpy(flat_labels(np.array(labels, "float32"))), [2, 0, 1])
        y = as_numpy(class_indices(np.array(labels, "float32"), np.zeros((3, 5))))
        np.testing.assert_array_equal(y, [[2], [0], [1]])


def test_signs_read_each_label_by_itself():
    for labels in ([0, 1, -1], [[0], [1], [-1]]):
        for scores in (np.zeros((3,), "float32"), np.zeros((3, 1), "float32")):
            y = as_numpy(signs(np.array(labels, "float32"), scores))
            np.testing.assert_array_equal(y, np.reshape([-1, 1, -1], scores.shape))


def test_one_hot_or_indices():
    scores = np.zeros((2, 4, 5))
    for shape, expected in [((2, 4), False), ((2, 4, 1), False), ((2, 4, 5), True)]:
        assert is_distribution(np.zeros(shape), scores) is expected
    assert is_distribution(np.zeros((2, 5, 4)), np.zeros((2, 5, 4)), axis=1)
    assert not is_distribution(np.zeros((2, 1)), np.zeros((2, 1)))  # a single class


def test_one_hot_of_an_unknown_length():
    labels, scores = keras.KerasTensor((None, None, 5)), keras.KerasTensor((None, 4, 5))
    assert is_distribution(labels, scores)


def test_one_number_for_each_class_along_an_axis():
    for axis, shape in [(1, (3, 1)), (-1, (3,)), (-2, (3, 1))]:
        scores = np.zeros((2, 3, 4) if shape == (3, 1) else (2, 4, 3), "float32")
        np.testing.assert_array_equal(
            as_numpy(per_class("Loss", "counts", [1, 2, 3], scores, axis)),
            np.reshape([1, 2, 3], shape),
        )
    with pytest.raises(ValueError, match="Loss: `counts` must be a list of 4, one for each class"):
        per_class("Loss", "counts", [1, 2, 3], np.zeros((2, 4)))
