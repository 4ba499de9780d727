import numpy as np
import pytest
from keras import layers

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(w, factor, axis):
    """Yuan and Lin's penalty, one group at a time."""
    total = 0.0
    for g in range(w.shape[axis]):
        group = np.take(w, g, axis=axis).astype("float64").ravel()
        total += np.sqrt(len(group)) * np.sqrt(sum(group**2))
    return factor * total


@pytest.mark.parametrize("axis", [-1, -2, 0])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4, 5)])
def test_reference(rng, axis, shape):
    w = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(regularizers.GroupLasso(0.3, axis)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3, axis), rtol=1e-5)


def test_gradient_is_the_unit_vector_and_zero_at_zero(rng):
    w = rng.normal(size=(4, 3)).astype("float32")
    w[:, 1] = 0
    _, (gradient,) = value_and_gradients(regularizers.GroupLasso(1.0), [w])
    for g in (0, 2):
        expected = 2 * w[:, g] / np.linalg.norm(w[:, g])
        np.testing.assert_allclose(gradient[:, g], expected, rtol=1e-4)
    assert np.all(gradient[:, 1] == 0)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_squares_neither_vanish_nor_overflow(size):
    w = np.full((4, 1), size, "float32")
    value, (gradient,) = value_and_gradients(regularizers.GroupLasso(1.0), [w])
    np.testing.assert_allclose(value, 4 * size, rtol=1e-5)
    np.testing.assert_allclose(gradient, 1.0, rtol=1e-5)


def test_no_such_axis():
    layer = layers.Dense(3, bias_regularizer=regularizers.GroupLasso(axis=-2))
    layer.build((None, 2))
    with pytest.raises(ValueError, match=r"GroupLasso: `axis` must be .* shape \(3,\)"):
        layer(np.ones((1, 2))), layer.losses


def test_a_group_of_several_units(rng):
    w = rng.normal(size=(4, 6)).astype("float32")
    penalty = as_numpy(regularizers.GroupLasso(0.3, group_size=2)(w))
    paired = w.reshape(4, 3, 2).transpose(0, 2, 1).reshape(8, 3)
    np.testing.assert_allclose(penalty, reference(paired, 0.3, -1), rtol=1e-5)
