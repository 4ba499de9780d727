import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import OrthogonalGradient
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths


def reference(g, w):
    """Section 5 of Prieto et al., in sums over single entries."""
    w_g = sum(a * b for a, b in zip(w.ravel(), g.ravel(), strict=True))
    w_w = sum(a * a for a in w.ravel())
    orthogonal = [b - w_g / w_w * a for a, b in zip(w.ravel(), g.ravel(), strict=True)]
    norm = sum(b * b for b in g.ravel()) ** 0.5 / sum(b * b for b in orthogonal) ** 0.5
    return norm * np.reshape(orthogonal, g.shape)


def transformed(g, w, name="w"):
    """The gradient as plain SGD at rate 1 uses it."""
    w = w.astype("float32")
    variable = keras.Variable(w, name=name)
    optimizer = OrthogonalGradient(keras.optimizers.SGD(1.0))
    optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [variable])
    return w - ops.convert_to_numpy(variable.value)


@pytest.mark.parametrize("shape", [(5, 7), (3, 2, 4, 6), (7,)])
def test_reference(rng, shape):
    g, w = rng.normal(size=shape), rng.normal(size=shape)
    result = transformed(g, w)
    np.testing.assert_allclose(result, reference(g, w), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.sum(result * w), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(result), np.linalg.norm(g), rtol=1e-5)


def test_golden():
    peer = golden("pytorch_optimizer_ortho_grad")

    # In float64 alone: the biases start at 0 and follow their gradients at first, so that what is
    # left across them is small, and has lost its digits in float32.
    def make():
        return OrthogonalGradient(keras.optimizers.SGD(0.0625, 0.75))

    assert_same_paths(make, peer, dtypes=("float64",))


def test_parallel_and_zero_gradients_and_zero_weights(rng):
    w = rng.normal(size=(3, 2))
    np.testing.assert_array_equal(transformed(np.zeros((3, 2)), w), 0.0)
    assert np.max(np.abs(transformed(-2 * w, w))) < 1e-6
    g = rng.normal(size=(3, 2))
    np.testing.assert_allclose(transformed(g, np.zeros((3, 2))), g, rtol=1e-6)
    assert transformed(np.array([3.0]), np.array([2.0]))[0] == 0.0
    assert np.isnan(transformed(np.array([np.nan, 1.0]), np.ones(2))).any()


def test_rows_of_a_table_are_orthogonal_one_by_one(rng):
    g, w = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    expected = [reference(g_i, w_i) for g_i, w_i in zip(g, w, strict=True)]
    np.testing.assert_allclose(transformed(g, w, "embeddings"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_squares_neither_overflow_nor_vanish(size):
    w = keras.Variable(np.array([0.0, 0.0, 0.0], "float32"))
    w.assign([1.0, 0.0, 0.0])
    optimizer = OrthogonalGradient(keras.optimizers.SGD(1.0))
    optimizer.apply([ops.convert_to_tensor([3 * size, 4 * size, 0.0])], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value)[1], -5 * size, rtol=1e-5)


@pytest.mark.parametrize("kind", ["any", "nearly parallel", "large", "zero"])
def test_dot_products_of_a_large_tensor_give_way_where_they_lose_digits(rng, kind):
    g, w = rng.normal(size=(40, 30)), rng.normal(size=(40, 30))
    if kind == "nearly parallel":
        g = w + 1e-2 * g
    scale = {"large": 1e25, "zero": 0.0}.get(kind, 1.0)
    expected = scale * reference(g, w)
    result = transformed(scale * g, w)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3 * max(scale, 1e-3))
