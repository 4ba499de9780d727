"""Compares a layer with the golden values of one of PyTorch's, weights copied over."""

import keras
import numpy as np
from keras import ops

from kcatalog.conformance.backend import value_and_gradients
from kcatalog.conformance.exercise import layer_function
from tests.golden.load import golden


def batch_norm():
    """Batch normalization with PyTorch's epsilon, which is not Keras's."""
    return keras.layers.BatchNormalization(epsilon=1e-5)


def check_against_peer(layer, file, case, last=0, order=None):
    """Assert that outputs and gradients, for inputs and weights, are the peer's in training.

    Args:
        layer: what to compare; its weights have the peer's order, but for the `last` first ones.
        file, case: where the peer's values stand.
        last: how many of the layer's weights, its own ones, come last in the peer.
        order: numbers of the peer's weights in the layer's order, where `last` does not tell it.
    """
    stored = golden(file)
    peer = {k.split("/")[1]: a for k, a in stored.items() if k.startswith(f"{case}/")}
    xs = [peer[k] for k in sorted(peer) if k[0] == "x"]
    names = [k for k in sorted(peer) if k[0] == "w" and k[1:].isdigit()]
    names = names[len(names) - last :] + names[: len(names) - last]
    names = names if order is None else [names[i] for i in order]
    layer.build([x.shape for x in xs] if len(xs) > 1 else xs[0].shape)
    shapes = [v.shape for v in layer.trainable_variables]
    weights = [peer[k].reshape(s) for k, s in zip(names, shapes, strict=True)]
    function = layer_function(layer, training=True)

    def outputs(arrays):
        x, weights = list(arrays[: len(xs)]), list(arrays[len(xs) :])
        return keras.tree.flatten(function(weights, x if len(xs) > 1 else x[0]))

    def total(*arrays):
        ys = outputs(arrays)
        return sum(ops.sum(ops.multiply(y, peer[f"cotangent{i}"])) for i, y in enumerate(ys))

    _, gradients = value_and_gradients(total, [*xs, *weights])
    wanted = [peer[f"gradient{i}"] for i in range(len(xs))] + [peer[f"{k}_gradient"] for k in names]
    for gradient, w in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(gradient, w.reshape(gradient.shape), rtol=1e-3, atol=1e-3)
    for i, y in enumerate(outputs([ops.convert_to_tensor(a) for a in [*xs, *weights]])):
        wanted = peer[f"output{i}"]
        np.testing.assert_allclose(ops.convert_to_numpy(y), wanted, rtol=1e-4, atol=1e-4)
