import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(a, b, weight):
    """Equations 1 and 2 of Zbontar et al., one pair of features at a time."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    total = 0.0
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            x, y = a[:, i] - np.mean(a[:, i]), b[:, j] - np.mean(b[:, j])
            c = sum(x * y) / (np.sqrt(sum(x**2)) * np.sqrt(sum(y**2)))
            total += (1 - c) ** 2 if i == j else weight * c**2
    return total


@pytest.mark.parametrize("weight", [5e-3, 1])
@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_reference(rng, weight, shape):
    a = rng.normal(size=shape).astype("float32")
    b = (a + 0.5 * rng.normal(size=shape)).astype("float32")
    loss = losses.BarlowTwins(weight, epsilon=1e-12)
    np.testing.assert_allclose(as_numpy(loss(a, b)), reference(a, b, weight), rtol=1e-4)
    each = as_numpy(losses.BarlowTwins(weight, epsilon=1e-12, reduction=None)(a, b))
    np.testing.assert_allclose(each, np.full(len(a), reference(a, b, weight)), rtol=1e-4)


def test_scale_and_shift_of_a_feature_do_not_matter(rng):
    a, b = rng.normal(size=(2, 32, 4)).astype("float32")
    loss = losses.BarlowTwins(epsilon=1e-9)
    np.testing.assert_allclose(as_numpy(loss(3 * a + 5, b)), as_numpy(loss(a, b)), rtol=1e-4)


@pytest.mark.parametrize("batch", [1, 6])
def test_constant_features_have_no_gradient(batch):
    a = np.full((batch, 4), 3.0, "float32")
    value, gradients = value_and_gradients(losses.BarlowTwins(), [a, a])
    assert value == 4
    assert np.all(np.array(gradients) == 0)


def test_stacked_views(rng):
    a, b = rng.normal(size=(2, 7, 4)).astype("float32")
    stacked = as_numpy(losses.BarlowTwins()(np.zeros(7), np.stack([a, b], axis=1)))
    np.testing.assert_allclose(stacked, as_numpy(losses.BarlowTwins()(a, b)), rtol=1e-5)
