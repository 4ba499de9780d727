import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(s, y, t):
    """Collobert et al.: the hinge at 1 minus the hinge at `t`."""
    z = (s.astype("float64") * y).ravel()
    return np.reshape([max(0.0, 1 - v) - max(0.0, t - v) for v in z], s.shape)


@pytest.mark.parametrize("truncation", [-1, 0.0, 0.5])
def test_reference(rng, truncation):
    s, y = 2 * rng.normal(size=(40, 3)).astype("float32"), 2 * rng.integers(0, 2, (40, 3)) - 1
    each = as_numpy(losses.Ramp(truncation, reduction=None)(y, s))
    expected = reference(s, y, truncation).mean(axis=-1)
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)


def test_a_hopeless_sample_is_left_alone():
    s, y = np.array([-30.0, -0.5, 3.0], "float32"), np.ones(3)
    total = losses.Ramp(reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(y, s), [s])
    np.testing.assert_array_equal(gradient, [0, -1, 0])


def test_a_low_truncation_is_keras_hinge(rng):
    s, y = rng.normal(size=(8, 3)).astype("float32"), rng.integers(0, 2, (8, 3))
    ours, theirs = losses.Ramp(-100.0)(y, s), keras.losses.Hinge()(y, s)
    np.testing.assert_allclose(as_numpy(ours), as_numpy(theirs), rtol=1e-6)
