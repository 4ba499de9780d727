"""Theory of normalization: what is left of scale, shift and length."""

import keras
import numpy as np
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend


def test_weight_normalization_decouples_direction_and_length(rng):
    """The gradient for v is orthogonal to v, so a step of descent only makes v longer."""
    layer = layers.WeightNormalization(keras.layers.Dense(4, "tanh"), data_init=False)
    x = rng.normal(size=(8, 3)).astype("float32")
    layer.build(x.shape)
    g, v, b = (rng.normal(size=w.shape).astype("float32") for w in layer.weights)

    def loss(g, v, b):
        return ops.sum(ops.square(layer.stateless_call([g, v, b], [], x)[0]))

    _, (g_gradient, v_gradient, _) = backend.value_and_gradients(loss, [g, v, b])
    cosines = (
        (v * v_gradient).sum(0) / np.linalg.norm(v, axis=0) / np.linalg.norm(v_gradient, axis=0)
    )
    np.testing.assert_allclose(cosines, 0.0, atol=1e-5)
    assert np.all(np.linalg.norm(v - 0.5 * v_gradient, axis=0) > np.linalg.norm(v, axis=0))

    def of_kernel(w, b):
        return ops.sum(ops.square(ops.tanh(ops.matmul(x, w) + b)))

    unit = v / np.linalg.norm(v, axis=0)
    _, (w_gradient, _) = backend.value_and_gradients(of_kernel, [g * unit, b])
    np.testing.assert_allclose(g_gradient, (w_gradient * unit).sum(0), rtol=1e-3, atol=1e-4)
