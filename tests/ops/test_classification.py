import numpy as np

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.classification import confusion_matrix, true_and_predicted


def test_a_target_row_as_long_as_there_are_classes_is_no_one_hot_row(rng):
    y, scores = rng.integers(0, 3, (2, 3)), rng.normal(size=(2, 3, 3))
    for targets in (y, y[..., None], np.eye(3)[y]):
        indices, p = true_and_predicted("Test", targets, scores, 3)
        np.testing.assert_array_equal(as_numpy(indices), y)
        np.testing.assert_array_equal(as_numpy(p), scores.argmax(-1))


def test_confusion_matrix_leaves_out_labels_that_are_none():
    y, p = np.array([-1, 0, 1, 2]), np.array([0, 1, 1, 1])
    np.testing.assert_array_equal(as_numpy(confusion_matrix(y, p, 2)), [[0, 1], [0, 1]])
