import numpy as np

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.labels import class_indices, flat_labels


def test_forms():
    for labels in ([2, 0, 1], [[2], [0], [1]]):
        np.testing.assert_array_equal(as_numpy(flat_labels(np.array(labels, "float32"))), [2, 0, 1])
        y = as_numpy(class_indices(np.array(labels, "float32"), np.zeros((3, 5))))
        np.testing.assert_array_equal(y, [[2], [0], [1]])
