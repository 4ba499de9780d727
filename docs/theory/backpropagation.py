"""Backpropagation

Training lowers a loss. Which way each weight has to go is its part of the gradient, and the chain
rule gives all parts in one pass from the output back to the input.
"""

import keras
import numpy as np
from keras import ops

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by
from kcatalog.conformance import backend


@tested_by("test_gradients.py", "test_backpropagation_is_the_chain_rule")
def backpropagation_is_the_chain_rule():
    """Backpropagation is the chain rule

    For `y = sigmoid(x W₁) W₂` and the squared error, the error of the output is `δ₂ = 2 (y - t)`,
    that of the hidden layer `δ₁ = (δ₂ W₂ᵀ) · h (1 - h)`, and the gradients are `hᵀ δ₂` and `xᵀ δ₁`.
    Written out in NumPy, they differ from the backend's by {difference:.0e} at most, where they
    reach {largest:.2g}.
    """
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    w1, w2 = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))

    def loss(w1, w2):
        y = ops.matmul(ops.sigmoid(ops.matmul(x, w1)), w2)
        return ops.sum(ops.square(ops.subtract(y, t)))

    with backend.float64():
        _, found = backend.value_and_gradients(loss, [w1, w2])
    h = 1 / (1 + np.exp(-x @ w1))
    delta2 = 2 * (h @ w2 - t)
    delta1 = (delta2 @ w2.T) * h * (1 - h)
    by_hand = [x.T @ delta1, h.T @ delta2]
    with figure() as ((axes,), out):
        for a, b, label in zip(by_hand, found, ("first layer", "second layer"), strict=True):
            axes.scatter(a.ravel(), b.ravel(), label=label)
        axes.axline((0, 0), slope=1, color="gray", lw=0.8)
        axes.set_xlabel("by the chain rule")
        axes.set_ylabel("by the backend")
        axes.legend()
    difference = max(np.abs(a - b).max() for a, b in zip(by_hand, found, strict=True))
    largest = max(np.abs(a).max() for a in by_hand)
    return {"difference": difference, "largest": largest}, out.getvalue()


def gradients_by_layer(activation, initializer, depth=20):
    """Return the norm of the gradient at the input of each of many layers."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Dense(16, activation, kernel_initializer=initializer) for _ in range(depth)
    ]
    x = np.random.default_rng(0).normal(size=(8, 16)).astype("float32")
    norms = []
    for layer in layers:
        layer.build(x.shape)
    inputs = [x]
    for layer in layers:
        inputs.append(backend.as_numpy(layer(inputs[-1])))
    for start in range(depth):

        def rest(v, start=start):
            for layer in layers[start:]:
                v = layer(v)
            return ops.sum(v)

        norms.append(np.linalg.norm(backend.value_and_gradients(rest, [inputs[start]])[1][0]))
    return norms


@tested_by(
    "test_gradients.py",
    "test_gradients_vanish_through_sigmoids_and_survive_relu_with_he_initialization",
)
def gradients_vanish_through_sigmoids():
    """Through many sigmoids the gradient vanishes

    The slope of a sigmoid is at most ¼, so each layer keeps a fraction of what comes back. Of the
    gradient of a sum of outputs, {sigmoid:.0e} arrives at the first of twenty layers. ReLU, whose
    slope is 0 or 1, with the variance that He's initialization keeps, passes {relu:.2g} on.
    """
    found = {
        "sigmoid, Glorot": gradients_by_layer("sigmoid", "glorot_uniform"),
        "ReLU, He": gradients_by_layer("relu", "he_normal"),
    }
    with figure() as ((axes,), out):
        for label, norms in found.items():
            axes.semilogy(range(1, 21), norms, label=label)
        axes.set_xlabel("layer")
        axes.set_ylabel("gradient at its input")
        axes.legend()
    sigmoid, relu = (norms[0] for norms in found.values())
    return {"sigmoid": sigmoid, "relu": relu}, out.getvalue()


@tested_by("test_networks.py", "test_epochs_of_descent_lower_the_loss")
def epochs_of_descent_lower_the_loss():
    """Epoch after epoch, descent lowers the loss

    A network with one hidden layer learns `sin x` from 64 labelled samples. Its mean squared error
    falls from {first:.2g} after one epoch to {last:.2g} after 60.
    """
    x = np.linspace(-3, 3, 64, dtype="float32")[:, None]
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    losses = model.fit(x, np.sin(x), batch_size=4, epochs=60, verbose=0).history["loss"]
    with figure(2) as ((left, right), out):
        left.semilogy(range(1, 61), losses)
        left.set_xlabel("epoch")
        left.set_ylabel("mean squared error")
        right.plot(x, np.sin(x), label="sin x")
        right.plot(x, model.predict(x, verbose=0), "--", label="the network")
        right.set_xlabel("x")
        right.legend()
    return {"first": losses[0], "last": losses[-1]}, out.getvalue()
