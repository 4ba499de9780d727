import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

Hoyer = regularizers.Hoyer


def reference(w, factor, axis):
    """Equations 2 and 4 of Yang et al., one weight or group at a time."""
    w = w.astype("float64")
    groups = [[v] for v in w.ravel()] if axis is None else np.moveaxis(w, axis, 0)
    norms = [np.sqrt(np.sum(np.square(g))) for g in groups]
    return factor * sum(norms) ** 2 / sum(n**2 for n in norms)


@pytest.mark.parametrize("axis", [None, -1, 0])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4, 5)])
def test_reference(rng, axis, shape):
    w = rng.normal(size=shape).astype("float32")
    np.testing.assert_allclose(as_numpy(Hoyer(0.3, axis)(w)), reference(w, 0.3, axis), rtol=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1e30])
def test_scale_changes_nothing(rng, size):
    w = rng.normal(size=(4, 3)).astype("float32")
    for axis in (None, -1):
        value, gradients = value_and_gradients(Hoyer(1.0, axis), [np.float32(size) * w])
        expected, expected_gradients = value_and_gradients(Hoyer(1.0, axis), [w])
        np.testing.assert_allclose(value, expected, rtol=1e-4)
        np.testing.assert_allclose(
            gradients[0].astype("float64") * size, expected_gradients[0], rtol=1e-3, atol=1e-5
        )


def test_between_one_and_the_number_of_weights():
    one = np.zeros((4, 3), "float32")
    value, (gradient,) = value_and_gradients(Hoyer(1.0), [one])
    assert value == 0
    assert not gradient.any()
    one[1, 2] = -3
    np.testing.assert_allclose(as_numpy(Hoyer(1.0)(one)), 1, rtol=1e-6)
    np.testing.assert_allclose(as_numpy(Hoyer(1.0)(0 * one + 7)), 12, rtol=1e-6)


def test_gradient_shrinks_small_weights_and_lets_large_ones_grow():
    _, (gradient,) = value_and_gradients(Hoyer(1.0), [np.array([3.0, 0.1, -0.1], "float32")])
    assert gradient[0] < 0 < gradient[1]
    assert gradient[2] < 0
