"""Theory of regularization: L1 selects, L2 shrinks, dropout is unbiased, and so on."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers, regularizers
from kcatalog.conformance import backend


def fit_line(regularizer, target, steps=150, rate=0.3, decay=0.98):
    """Weights that minimize ½‖w - target‖² + penalty(w), by gradient descent."""
    w = np.zeros_like(target)
    for _ in range(steps):
        _, (penalty,) = backend.value_and_gradients(regularizer, [w.astype("float32")])
        w = w - rate * ((w - target) + penalty)
        rate *= decay  # at a fixed rate, what should be 0 would go to and fro
    return w


def test_l1_sets_small_weights_to_zero_and_shifts_the_rest():
    """The soft threshold: sign(t) max(|t| - λ, 0)."""
    w = fit_line(keras.regularizers.L1(0.5), np.array([2.0, 0.3, -1.0, -0.2]))
    np.testing.assert_allclose(w, [1.5, 0.0, -0.5, 0.0], atol=0.02)


def test_l2_shrinks_all_weights_by_one_factor():
    """The ridge: t / (1 + 2λ), never zero."""
    w = fit_line(keras.regularizers.L2(0.5), np.array([2.0, 0.3, -1.0, -0.2]))
    np.testing.assert_allclose(w, np.array([2.0, 0.3, -1.0, -0.2]) / 2, rtol=1e-3)


def test_group_lasso_drops_whole_groups():
    """The group threshold: a column goes to zero as a whole, or not at all."""
    target = np.array([[2.0, 0.1], [-2.0, 0.1], [1.0, -0.1]])
    w = fit_line(regularizers.GroupLasso(0.3), target)
    assert np.abs(w[:, 1]).max() < 0.02
    assert np.abs(w[:, 0]).min() > 0.3


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Dropout(0.3, seed=1), (4000, 3, 5)),
        (layers.VariationalDropout(0.3, seed=1), (4000, 3, 5)),
        (layers.StochasticDepth(0.3, seed=1), (4000, 3, 5)),
        (layers.RReLU(0.0, 2.0, seed=1), (4000, 3, 5)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_dropout_is_unbiased(layer, shape):
    """E[dropout(x)] = x, at each place, so nothing has to be rescaled at inference."""
    x = -np.ones(shape, "float32")
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(y.mean(0), -1.0, atol=0.15)
    np.testing.assert_allclose(y.mean(), -1.0, atol=0.03)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), x)
    assert y.std() > 0.5


def test_zoneout_at_inference_is_the_mean_over_its_draws(rng):
    """E[d s + (1 - d) f(x, s)] = p s + (1 - p) f(x, s), for a step from a given state."""
    rnn = keras.layers.RNN(layers.Zoneout(keras.layers.GRUCell(4), rate=0.3, seed=1))
    x = np.tile(rng.normal(size=(1, 1, 3)), (4000, 1, 1)).astype("float32")
    state = ops.convert_to_tensor(np.tile(rng.normal(size=(1, 4)), (4000, 1)).astype("float32"))
    drawn, plain = (
        backend.as_numpy(rnn(x, initial_state=state, training=training))
        for training in (True, False)
    )
    assert drawn.std(0).min() > 0.05
    np.testing.assert_allclose(drawn.mean(0), plain[0], atol=0.05)


def test_dropped_blocks_are_unbiased_over_a_map_and_not_at_its_border():
    """A flat map keeps its sum; fewer blocks reach a corner, so it is kept more often."""
    x = np.ones((400, 7, 7, 3), "float32")
    layer = layers.DropBlock2D(0.3, block_size=3, seed=1)
    y = backend.as_numpy(layer(x, training=True))
    np.testing.assert_allclose(y.mean((1, 2, 3)), 1.0, rtol=1e-4)
    assert y[:, 0, 0].mean() > 1.15 > 1.0 > y[:, 3, 3].mean()


def test_dropped_weights_are_unbiased(rng):
    """E[x (W M / (1 - p))] = x W, with the variance Σ (x W)² p / (1 - p) of each unit."""
    units, rate = 4000, 0.3  # the mask is drawn once a call, for each unit anew
    x = rng.normal(size=(3, 20)).astype("float32")
    dense = keras.layers.Dense(units, use_bias=False, kernel_initializer="ones")
    layer = layers.DropConnect(dense, rate, seed=1)
    y = backend.as_numpy(layer(x, training=True))
    variance = (x**2).sum(1) * rate / (1 - rate)
    error = 4 * np.sqrt(variance / units)
    assert np.all(np.abs(y.mean(1) - x.sum(1)) < error)
    np.testing.assert_allclose(y.var(1), variance, rtol=0.15)
    np.testing.assert_allclose(
        backend.as_numpy(layer(x)), np.tile(x.sum(1, keepdims=True), units), rtol=1e-4, atol=1e-5
    )


def test_batch_normalization_normalizes_and_ignores_scale_and_shift(rng):
    """Each feature gets mean 0 and variance 1; an affine change of the input is undone."""
    x = rng.normal(3.0, 5.0, size=(256, 4)).astype("float32")
    layer = keras.layers.BatchNormalization(epsilon=1e-6)
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(y.std(0), 1.0, atol=1e-3)
    changed = ops.convert_to_numpy(layer(7 * x - 2, training=True))
    np.testing.assert_allclose(changed, y, atol=1e-3)


def test_orthogonal_kernels_keep_lengths(rng):
    """A linear layer neither shrinks nor stretches where SoftOrthogonality is zero."""
    q, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    x = rng.normal(size=(5, 6))
    penalty = regularizers.SoftOrthogonality(1.0)
    assert float(ops.convert_to_numpy(penalty(q.astype("float32")))) < 1e-6
    assert float(ops.convert_to_numpy(penalty((1.1 * q).astype("float32")))) > 1e-3
    np.testing.assert_allclose(np.linalg.norm(x @ q, axis=1), np.linalg.norm(x, axis=1))


def test_convolution_commutes_with_shifts_and_blurred_pooling_nearly_does(rng):
    """A strided max pooling changes when its input moves by one; blurring first changes less."""
    x = rng.normal(size=(1, 32, 32, 1)).astype("float32")
    x = ops.convert_to_numpy(keras.layers.AveragePooling2D(3, 1, "same")(x))
    moved = np.roll(x, 1, axis=2)
    conv = keras.layers.Conv2D(1, 3, padding="same")
    straight = np.roll(ops.convert_to_numpy(conv(x)), 1, axis=2)
    inner = (slice(None), slice(None), slice(3, -3))
    np.testing.assert_allclose(ops.convert_to_numpy(conv(moved))[inner], straight[inner], atol=1e-5)

    def change(pool):
        a, b = (ops.convert_to_numpy(pool(v))[inner] for v in (x, moved))
        return np.linalg.norm(a - b) / np.linalg.norm(a)

    dense_max = keras.layers.MaxPooling2D(2, 1, "same")
    blurred = keras.Sequential([dense_max, layers.BlurPooling2D(kernel_size=5, strides=2)])
    assert change(blurred) < 0.8 * change(keras.layers.MaxPooling2D(2))
