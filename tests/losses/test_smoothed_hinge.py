import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(s, y, w):
    """Rennie and Srebro's three cases, for a corner of any width."""
    each = []
    for z in (s.astype("float64") * y).ravel():
        if z >= 1:
            each.append(0.0)
        elif z > 1 - w:
            each.append((1 - z) ** 2 / (2 * w))
        else:
            each.append(1 - z - w / 2)
    return np.reshape(each, s.shape)


@pytest.mark.parametrize("smoothing", [0.25, 1, 3.0])
def test_reference(rng, smoothing):
    s, y = 2 * rng.normal(size=(40, 3)).astype("float32"), 2 * rng.integers(0, 2, (40, 3)) - 1
    each = as_numpy(losses.SmoothedHinge(smoothing, reduction=None)(y, s))
    expected = reference(s, y, smoothing)
    np.testing.assert_allclose(each, expected.mean(axis=-1), rtol=1e-5, atol=1e-6)


def test_a_narrow_corner_is_keras_hinge(rng):
    s, y = rng.normal(size=(8, 3)).astype("float32"), rng.integers(0, 2, (8, 3))
    ours, theirs = losses.SmoothedHinge(1e-6)(y, s), keras.losses.Hinge()(y, s)
    np.testing.assert_allclose(as_numpy(ours), as_numpy(theirs), rtol=1e-5)


def test_labels_are_read_one_by_one():
    s, loss = np.full((3, 1), 0.5, "float32"), losses.SmoothedHinge(reduction=None)
    for y in ([0, 1, 1], [-1, 1, 1], [0, 1, -1]):
        each = as_numpy(loss(np.array(y), s))
        np.testing.assert_allclose(each, [0.125 if sign > 0 else 1.0 for sign in y])


def test_scores_without_an_axis_of_outputs(rng):
    s, y = rng.normal(size=8).astype("float32"), rng.integers(0, 2, 8)
    loss = losses.SmoothedHinge(reduction=None)
    np.testing.assert_allclose(as_numpy(loss(y, s)), as_numpy(loss(y[:, None], s[:, None])))


def test_slope_is_continuous():
    s = np.array([-1e-4, 0, 1e-4, 1 - 1e-4, 1, 1 + 1e-4], "float32")
    total = losses.SmoothedHinge(reduction="sum")
    _, (slope,) = value_and_gradients(lambda s: total(np.ones(6), s), [s])
    np.testing.assert_allclose(slope, [-1, -1, -1, 0, 0, 0], atol=2e-4)
