import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import GradientCentralization
from tests.golden.load import golden


def reference(g):
    """Equation 1 of Yong et al., one unit at a time."""
    if g.ndim <= 1:
        return g
    out = g.copy()
    for unit in range(g.shape[-1]):
        incoming = g[..., unit].ravel()
        out[..., unit] = g[..., unit] - sum(incoming) / len(incoming)
    return out


def centralized(g):
    """The gradient as plain SGD at rate 1 uses it."""
    w = keras.Variable(np.zeros(g.shape, "float32"))
    optimizer = GradientCentralization(keras.optimizers.SGD(1.0))
    optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [w])
    return -ops.convert_to_numpy(w.value)


@pytest.mark.parametrize("shape", [(5, 7), (3, 2, 4, 6), (3, 4, 6), (7,), ()])
def test_reference(rng, shape):
    g = rng.normal(size=shape) + 1
    np.testing.assert_allclose(centralized(g), reference(g), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", ["conv", "conv1d", "dense", "bias", "scalar"])
def test_golden(weight):
    peer = golden("optax_centralize")  # there the first axis counts units, here the last
    result = centralized(peer[f"{weight}_gradient"].T).T
    np.testing.assert_allclose(result, peer[f"{weight}_centralized"], rtol=1e-4, atol=1e-6)


def test_mean_of_a_units_weights_is_kept(rng):
    w = keras.Variable(rng.normal(size=(5, 3)).astype("float32"))
    before = ops.convert_to_numpy(w.value).mean(0)
    optimizer = GradientCentralization(keras.optimizers.SGD(0.1, momentum=0.9))
    for _ in range(5):
        optimizer.apply([ops.convert_to_tensor(rng.normal(size=(5, 3)).astype("float32"))], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value).mean(0), before, atol=1e-6)


def test_rows_of_an_embedding_that_are_not_looked_up_stay():
    embedding = keras.layers.Embedding(5, 3, embeddings_initializer="ones")
    model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding])
    model.compile(GradientCentralization(keras.optimizers.Adam(0.1)), "mse", run_eagerly=True)
    for _ in range(3):
        model.train_on_batch(np.array([[1, 3]]), np.array([[[0.0, 2.0, 5.0], [1.0, 0.0, 9.0]]]))
    rows = ops.convert_to_numpy(embedding.embeddings)
    np.testing.assert_array_equal(rows[[0, 2, 4]], np.ones((3, 3)))
    assert np.all(np.abs(rows[[1, 3]] - 1).max(axis=1) > 0.1)


def test_a_row_of_an_embedding_and_a_channel_are_centred_alone():
    g = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]], "float32")
    w = keras.Variable(np.zeros((2, 3), "float32"), name="embeddings")
    GradientCentralization(keras.optimizers.SGD(1.0)).apply([ops.convert_to_tensor(g)], [w])
    expected = [[2.0, 1.0, -3.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, atol=1e-6)


def test_sums_do_not_overflow():
    for dtype, size in (("float32", 3e38), ("float16", 6e4)):
        w = keras.Variable(np.zeros((4, 1)), dtype=dtype)
        optimizer = GradientCentralization(keras.optimizers.SGD(1.0))
        optimizer.apply([ops.full((4, 1), size, dtype=dtype)], [w])
        np.testing.assert_allclose(ops.convert_to_numpy(w.value), 0.0, atol=1e-4 * size)
