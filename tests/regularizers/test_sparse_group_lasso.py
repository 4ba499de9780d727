import keras
import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

SparseGroupLasso = regularizers.SparseGroupLasso


def reference(w, factor, l1_ratio, axis, group_size):
    """Equation 2 of Simon et al., one group at a time."""
    total = 0.0
    for start in range(0, w.shape[axis], group_size):
        group = np.take(w, range(start, start + group_size), axis=axis).astype("float64").ravel()
        total += (1 - l1_ratio) * np.sqrt(len(group)) * np.sqrt(sum(group**2))
        total += l1_ratio * sum(abs(group))
    return factor * total


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("shape", "axis", "group_size"),
    [((6,), 0, 1), ((6,), 0, 3), ((4, 6), -1, 2), ((5, 4, 3), -2, 1), ((2, 3, 4, 6), 2, 2)],
)
def test_reference(rng, l1_ratio, shape, axis, group_size):
    w = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(SparseGroupLasso(0.3, l1_ratio, axis, group_size)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3, l1_ratio, axis, group_size), rtol=1e-5)


def test_its_ends_are_the_group_lasso_and_l1(rng):
    w = rng.normal(size=(4, 6)).astype("float32")
    for l1_ratio, same in [(0, regularizers.GroupLasso(0.2)), (1, keras.regularizers.L1(0.2))]:
        actual, gradients = value_and_gradients(SparseGroupLasso(0.2, l1_ratio), [w])
        expected, expected_gradients = value_and_gradients(same, [w])
        np.testing.assert_allclose(actual, expected, rtol=1e-5)
        np.testing.assert_allclose(gradients[0], expected_gradients[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("part", ["query", "value", "attention_output"])
def test_groups_are_the_heads_of_an_attention_layer(part):
    """The weights of one head make one group: a penalty for one head of ones."""
    attention = keras.layers.MultiHeadAttention(num_heads=3, key_dim=2)
    attention.build((None, 5, 4), (None, 5, 4))
    kernel = next(v for v in attention.weights if v.path.endswith(f"{part}/kernel"))
    axis = 0 if part == "attention_output" else -2
    assert kernel.shape[axis] == 3
    w = np.zeros(kernel.shape, "float32")
    np.moveaxis(w, axis, 0)[1] = 1
    penalty = as_numpy(SparseGroupLasso(1.0, 0.0, axis)(w))
    np.testing.assert_allclose(penalty, 8, rtol=1e-6)  # √8 times the norm of 8 ones


def test_zeros_have_the_gradient_zero(rng):
    w = rng.normal(size=(4, 3)).astype("float32")
    w[:, 1], w[0, 0] = 0, 0
    _, (gradient,) = value_and_gradients(SparseGroupLasso(1.0), [w])
    assert np.all(gradient[w == 0] == 0)
    assert np.all(gradient[w != 0] != 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axis": 1}, r"`axis` must be an axis of the weight, which has shape \(3,\)"),
        ({"group_size": 2}, "`group_size` must be a divisor of 3"),
    ],
)
def test_groups_that_the_weight_does_not_have(arguments, message):
    with pytest.raises(ValueError, match=f"SparseGroupLasso: {message}"):
        SparseGroupLasso(**arguments)(np.ones((3,), "float32"))
