import keras
import numpy as np
import pytest
from keras import layers

from kcatalog.conformance.backend import as_numpy
from kcatalog.initializers import lsuv


def reference(x, kernels):
    """Algorithm 1 of Mishkin and Matas for dense layers with ReLU, from orthonormal kernels."""
    h, scaled = x.astype("float64"), []
    for W in kernels:
        W = W.astype("float64")
        W = W / np.sqrt(np.var(h @ W))
        scaled.append(W)
        h = np.maximum(h @ W, 0)
    return scaled


def test_reference(rng):
    x = rng.normal(2.0, 3.0, size=(50, 6)).astype("float32")
    dense = [layers.Dense(n, "relu", bias_initializer="ones") for n in (8, 5, 3)]
    model = keras.Sequential([keras.Input((6,)), *dense])
    variances = lsuv(model, x, seed=1)
    assert list(variances) == [layer.kernel.path for layer in dense]
    np.testing.assert_allclose(list(variances.values()), 1, rtol=1e-2)
    kernels = [as_numpy(layer.kernel) for layer in dense]
    orthonormal = [W / np.linalg.norm(W, 2) for W in kernels]
    for W in orthonormal:
        W = W if W.shape[0] >= W.shape[1] else W.T
        np.testing.assert_allclose(W.T @ W, np.eye(W.shape[1]), atol=1e-5)
    for W, expected in zip(kernels, reference(x, orthonormal), strict=True):
        np.testing.assert_allclose(W, expected, rtol=1e-3, atol=1e-5)
    assert not any(as_numpy(layer.bias).any() for layer in dense)
    assert all(layer.activation is keras.activations.relu for layer in dense)
    assert "call" not in vars(dense[0])


def test_branches_nested_models_and_convolutions(rng):
    inner = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(5, 3, activation="tanh")])
    image, vector = keras.Input((4, 4, 3)), keras.Input((7,))
    a = layers.GlobalAveragePooling2D()(inner(layers.DepthwiseConv2D(3, padding="same")(image)))
    b = layers.GRU(5)(layers.Reshape((7, 1))(vector))
    y = layers.Dense(2, "softmax", name="last")(layers.Concatenate()([a, b]))
    model = keras.Model([image, vector], y)
    gru = next(layer for layer in model.layers if isinstance(layer, keras.layers.GRU))
    before = gru.get_weights()
    data = [rng.normal(size=(40, 4, 4, 3)), rng.normal(size=(40, 7))]
    variances = lsuv(model, [d.astype("float32") for d in data], seed=2)
    assert len(variances) == 3
    for w, old in zip(gru.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, old)
    np.testing.assert_allclose(list(variances.values()), 1, rtol=1e-2)


def test_a_shared_layer_is_scaled_for_its_first_call(rng):
    shared, x = layers.Dense(4, use_bias=False), keras.Input((4,))
    model = keras.Model(x, shared(shared(x)))
    data = (5 * rng.normal(size=(60, 4))).astype("float32")
    (variance,) = lsuv(model, data).values()
    np.testing.assert_allclose(variance, 1, rtol=1e-2)
    np.testing.assert_allclose(np.var(data @ as_numpy(shared.kernel)), 1, rtol=1e-2)


def test_seeds(rng):
    x = rng.normal(size=(30, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    kernels = []
    for seed in (1, 1, 2):
        lsuv(model, x, seed=seed)
        kernels.append(as_numpy(model.layers[0].kernel))
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.any(kernels[0] != kernels[2])


def test_wrong_arguments():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"has the variance 0\.0 on this data"):
        lsuv(model, np.zeros((5, 4), "float32"))
    with pytest.raises(ValueError, match="lsuv: `tolerance` must be a number in"):
        lsuv(model, np.ones((5, 4), "float32"), tolerance=0.0)
    with pytest.raises(ValueError, match="lsuv: `model` must be a Keras model"):
        lsuv(layers.Dense(3), np.ones((5, 4), "float32"))
