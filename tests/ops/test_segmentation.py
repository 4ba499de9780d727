import numpy as np

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.segmentation import masks_and_probabilities


def test_masks_from_indices_in_any_place(rng):
    s, y = rng.normal(size=(2, 3, 4, 5)).astype("float32"), rng.integers(0, 5, (2, 3, 4))
    one_hot, first = np.eye(5, dtype="float32")[y], np.moveaxis(s, -1, 1)
    r, p = (as_numpy(x) for x in masks_and_probabilities(y, s, True))
    np.testing.assert_array_equal(r, one_hot.reshape(2, 12, 5))
    softmax = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    np.testing.assert_allclose(p, softmax.reshape(2, 12, 5), rtol=1e-5)
    for labels in (y, y[:, None], np.moveaxis(one_hot, -1, 1)):
        again = masks_and_probabilities(labels, first, True, axis=1)
        np.testing.assert_array_equal(as_numpy(again[0]), r)
        np.testing.assert_allclose(as_numpy(again[1]), p, rtol=1e-5)


def test_a_single_class_is_its_mask(rng):
    s, y = rng.normal(size=(2, 3, 4, 1)).astype("float32"), rng.integers(0, 2, (2, 3, 4))
    for labels in (y, y[..., None]):
        r, p = (as_numpy(x) for x in masks_and_probabilities(labels, s, True))
        np.testing.assert_array_equal(r[..., 0], y.reshape(2, 12))
        np.testing.assert_allclose(p.ravel(), 1 / (1 + np.exp(-s.ravel())), rtol=1e-5)
