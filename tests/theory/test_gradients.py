"""Theory of gradients: backpropagation, vanishing gradients and their remedies."""

import keras
import numpy as np
import pytest
from keras import ops

import kcatalog
from kcatalog.conformance import backend


def input_gradient(layer, x):
    """|d output at the last step / d input at each step|, summed over features."""
    layer(x[:1])
    _, (gradient,) = backend.value_and_gradients(lambda x: ops.sum(layer(x)[:, -1]), [x])
    return np.abs(gradient).sum(axis=(0, 2))


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_backpropagation_is_the_chain_rule(rng, activation):
    """A two-layer network's gradient, by hand: δ₂ = 2(y - t), δ₁ = (δ₂ W₂ᵀ) φ'(a)."""
    x, t = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    w1, w2 = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
    phi = getattr(ops, activation)

    def loss(w1, w2):
        y = ops.matmul(phi(ops.matmul(x, w1)), w2)
        return ops.sum(ops.square(ops.subtract(y, t)))

    with backend.float64():
        _, (g1, g2) = backend.value_and_gradients(loss, [w1, w2])
    a = x @ w1
    h = 1 / (1 + np.exp(-a)) if activation == "sigmoid" else np.maximum(a, 0)
    slope = h * (1 - h) if activation == "sigmoid" else (a > 0).astype(float)
    delta2 = 2 * (h @ w2 - t)
    delta1 = (delta2 @ w2.T) * slope
    np.testing.assert_allclose(g2, h.T @ delta2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(g1, x.T @ delta1, rtol=1e-4, atol=1e-5)


def first_layer_gradient(activation, initializer, depth=20):
    """The gradient norm that reaches the first of many layers."""
    model = keras.Sequential(
        [keras.Input((16,))]
        + [keras.layers.Dense(16, activation, kernel_initializer=initializer) for _ in range(depth)]
    )
    x = np.random.default_rng(0).normal(size=(8, 16)).astype("float32")
    _, (gradient,) = backend.value_and_gradients(lambda x: ops.sum(model(x)), [x])
    return np.linalg.norm(gradient)


def test_gradients_vanish_through_sigmoids_and_survive_relu_with_he_initialization():
    """A sigmoid's slope is 1/4 at most, so twenty of them leave less than 1e-6."""
    assert first_layer_gradient("sigmoid", "glorot_uniform") < 1e-6
    assert first_layer_gradient("relu", keras.initializers.HeNormal(seed=1)) > 1e-2


def test_residual_connections_keep_gradients():
    """With y = x + f(x) the identity's gradient passes whatever f does."""
    x = keras.Input((16,))
    y = x
    for _ in range(20):
        y = y + keras.layers.Dense(16, "sigmoid")(y)
    model = keras.Model(x, y)
    data = np.random.default_rng(0).normal(size=(8, 16)).astype("float32")
    _, (gradient,) = backend.value_and_gradients(lambda t: ops.sum(model(t)), [data])
    assert np.linalg.norm(gradient) > 1.0


def test_gradients_explode_with_large_recurrent_weights_and_clipping_bounds_the_step():
    """With a linear recurrence of spectral radius 1.3 the gradient grows as 1.3ᵗ."""
    layer = keras.layers.SimpleRNN(
        8,
        "linear",
        return_sequences=True,
        recurrent_initializer=keras.initializers.Orthogonal(1.3, seed=1),
        kernel_initializer=keras.initializers.GlorotUniform(seed=1),
    )
    gradient = input_gradient(layer, np.ones((2, 50, 3), "float32"))
    growth = (gradient[0] / gradient[40]) ** (1 / 40)
    np.testing.assert_allclose(growth, 1.3, rtol=0.05)
    w = keras.Variable(np.zeros(3, "float32"))
    keras.optimizers.SGD(0.1, clipnorm=1.0).apply([ops.ones(3) * 1e6], [w])
    np.testing.assert_allclose(np.linalg.norm(ops.convert_to_numpy(w)), 0.1, rtol=1e-5)


def test_cross_entropy_on_logits_has_gradient_p_minus_y(rng):
    """The softmax and the logarithm cancel: ∂L/∂z = p - y, which never saturates."""
    z, labels = rng.normal(size=(6, 4)).astype("float32"), np.arange(6) % 4
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    _, (gradient,) = backend.value_and_gradients(lambda z: loss(labels, z), [z])
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    np.testing.assert_allclose(gradient, p - np.eye(4)[labels], rtol=1e-4, atol=1e-6)


def test_squared_error_through_a_sigmoid_saturates_and_cross_entropy_does_not():
    """A confidently wrong unit learns nothing from squared error."""
    z, target = np.array([[-20.0]], "float32"), np.array([[1.0]], "float32")
    squared = keras.losses.MeanSquaredError()
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    _, (slow,) = backend.value_and_gradients(lambda z: squared(target, ops.sigmoid(z)), [z])
    _, (fast,) = backend.value_and_gradients(lambda z: entropy(target, z), [z])
    assert abs(slow[0, 0]) < 1e-7
    np.testing.assert_allclose(fast, -1.0, rtol=1e-5)


def test_hinge_ignores_what_is_beyond_its_margin():
    """Beyond the margin a sample is no support vector: loss and gradient are zero."""
    loss = kcatalog.losses.CrammerSingerHinge(margin=1.0, reduction="sum")
    z = np.array([[3.0, 1.0, 0.0], [1.0, 0.5, 0.0]], "float32")
    value, (gradient,) = backend.value_and_gradients(lambda z: loss(np.array([0, 0]), z), [z])
    np.testing.assert_allclose(value, 0.5)
    np.testing.assert_allclose(gradient, [[0, 0, 0], [-1, 1, 0]])
