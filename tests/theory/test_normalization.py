"""Theory of normalization: what is left of scale, shift and length."""

import keras
import numpy as np
import pytest
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


@pytest.mark.parametrize("ghosts", [1, 4])
def test_batch_normalization_gives_the_moments_beta_and_gamma(rng, ghosts):
    """Each channel leaves with mean β and deviation γ, of the batch or of each ghost batch."""
    x = (5 + 3 * rng.normal(size=(64, 4, 3))).astype("float32")
    x += np.repeat(np.arange(4.0), 16).astype("float32")[:, None, None]  # ghosts are unlike
    if ghosts == 1:
        layer = keras.layers.BatchNormalization(epsilon=1e-6)
    else:
        layer = layers.GhostBatchNormalization(64 // ghosts, epsilon=1e-6)
    layer.build(x.shape)
    y = backend.as_numpy(layer(x, training=True)).reshape(ghosts, -1, 3)
    np.testing.assert_allclose(y.mean(1), 0.0, atol=1e-4)
    np.testing.assert_allclose(y.var(1), 1.0, atol=1e-3)
    γ, β = np.array([2.0, -1.0, 0.5]), np.array([1.0, 0.0, -3.0])
    layer.gamma.assign(γ)
    layer.beta.assign(β)
    y = backend.as_numpy(layer(x, training=True)).reshape(ghosts, -1, 3)
    np.testing.assert_allclose(y.mean(1), np.tile(β, (ghosts, 1)), atol=1e-3)
    np.testing.assert_allclose(y.std(1), np.tile(abs(γ), (ghosts, 1)), atol=1e-3)


def test_ghost_statistics_are_noisier_than_those_of_the_batch(rng):
    """The variance of a ghost batch's mean over n samples is σ² / n: the noise that regularizes."""
    x = rng.normal(size=(1024, 1)).astype("float32")
    means = []
    for size in (8, 128):
        layer = layers.GhostBatchNormalization(size, epsilon=1e-6, scale=False)
        y = backend.as_numpy(layer(x, training=True))
        σ = x.reshape(-1, size).std(1).repeat(size)[:, None]
        means.append(((x - y * σ)[::size]).var() * size)
    np.testing.assert_allclose(means, 1.0, atol=0.6)


def test_filter_response_normalization_leaves_no_scale(rng):
    """Each sample's channel leaves with mean square 1, whatever its size was."""
    x = rng.normal(size=(3, 6, 6, 2)).astype("float32") + 1
    layer = layers.FilterResponseNormalization()
    y, scaled = (backend.as_numpy(layer(k * x)) for k in (1.0, 50.0))
    np.testing.assert_allclose((y**2).mean((1, 2)), 1.0, rtol=1e-4)
    np.testing.assert_allclose(scaled, y, rtol=1e-3, atol=1e-4)
