"""Theory of regularization: L1 selects, L2 shrinks, dropout is unbiased, and so on."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import constraints, initializers, layers, optimizers, regularizers
from kcatalog.conformance import backend


def slope_of(penalty):
    """Return a function from an array to the gradient of the penalty, compiled if it can be."""
    if not backend.COMPILES:
        return lambda w: backend.value_and_gradients(penalty, [w.astype("float32")])[1][0]
    step = backend.compiled_gradient(penalty)
    return lambda w: backend.as_numpy(step(ops.convert_to_tensor(w.astype("float32")))[1])


def fit_line(regularizer, target, steps=150, rate=0.3, decay=0.98):
    """Weights that minimize ½‖w - target‖² + penalty(w), by gradient descent."""
    w, slope = np.zeros_like(target), slope_of(regularizer)
    for _ in range(steps):
        w = w - rate * ((w - target) + slope(w))
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


# --- exact zeros -------------------------------------------------------------------------


def fit_regression(x, y, optimizer, steps=200, regularizer=None):
    """Return the weights of a linear regression by steps on the whole of the data."""
    n, outputs = len(x), y.shape[1]
    dense = keras.layers.Dense(
        outputs, use_bias=False, kernel_initializer="zeros", kernel_regularizer=regularizer
    )
    model = keras.Sequential([keras.Input((x.shape[1],)), dense])

    def half_squares(y_true, y_pred):
        return outputs / 2 * keras.losses.mean_squared_error(y_true, y_pred)

    model.compile(optimizer, half_squares)
    model.fit(np.tile(x, (steps, 1)), np.tile(y, (steps, 1)), n, verbose=0, shuffle=False)
    return backend.as_numpy(dense.kernel)


def test_proximal_l1_ends_where_the_lasso_does_with_the_same_exact_zeros(rng):
    from sklearn.linear_model import Lasso

    x = rng.normal(size=(60, 10)) @ (np.eye(10) + 0.3)
    y = x[:, :3] @ [[1.0], [-2.0], [0.5]] + 0.5 * rng.normal(size=(60, 1))
    expected = Lasso(alpha=0.3, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(x, y).coef_
    rate = 1 / np.linalg.norm(x.T @ x / 60, 2)
    sgd = keras.optimizers.SGD(rate)
    w = fit_regression(x, y, optimizers.ProximalRegularization(sgd, factor=0.3))[:, 0]
    assert 2 <= np.sum(expected == 0) <= 8
    np.testing.assert_array_equal(w == 0, expected == 0)
    np.testing.assert_allclose(w, expected, atol=2e-3)
    sgd = keras.optimizers.SGD(rate)
    penalized = fit_regression(x, y, sgd, regularizer=keras.regularizers.L1(0.3), steps=100)
    assert not np.any(penalized == 0)


@pytest.mark.parametrize("groups", ["inputs", "units"])
def test_proximal_groups_end_at_the_closed_form_of_an_orthogonal_design(rng, groups):
    """With XᵀX = n I: w_g = t_g max(1 - λ √p / ‖t_g‖, 0), for the least squares solution t."""
    q, _ = np.linalg.qr(rng.normal(size=(40, 6)))
    x, axis = q * 40**0.5, 1 if groups == "inputs" else 0
    target = rng.normal(size=(6, 4))
    target *= np.expand_dims([2.0, 0.1, 1.5, 0.2, 0.1, 2.0][: target.shape[1 - axis]], axis)
    p = target.shape[axis]
    norm = np.linalg.norm(target, axis=axis, keepdims=True)
    expected = target * np.maximum(1 - 0.5 * p**0.5 / norm, 0)
    sgd = keras.optimizers.SGD(0.5)
    proximal = optimizers.ProximalRegularization(sgd, 0.5, groups)
    w = fit_regression(x, x @ target, proximal, steps=30)
    assert 4 <= np.sum(expected == 0) <= 20
    np.testing.assert_array_equal(w == 0, expected == 0)
    np.testing.assert_allclose(w, expected, atol=1e-4)
    penalty = regularizers.GroupLasso(0.5, axis=-2 if groups == "inputs" else -1)
    penalized = fit_regression(x, x @ target, keras.optimizers.SGD(0.5), 30, penalty)
    assert not np.any(penalized == 0)


def test_momentum_divides_the_factor_of_a_proximal_step():
    """At rest a gradient moves a weight by η g / (1 - β), so λ acts as λ (1 - β)."""
    x = np.eye(2) * 2**0.5
    y = x @ [[2.0], [0.3]]
    sgd = keras.optimizers.SGD(0.05, momentum=0.5)
    w = fit_regression(x, y, optimizers.ProximalRegularization(sgd, factor=1.0))
    np.testing.assert_allclose(w, [[1.5], [0.0]], atol=1e-3)


# --- orthogonality and spectra -----------------------------------------------------------


def descend(penalty, w, steps=150, rate=0.05):
    slope = slope_of(penalty)
    for _ in range(steps):
        w = w - rate * slope(w)
        rate *= 0.98
    return w


@pytest.mark.parametrize("shape", [(8, 4), (4, 8)])
@pytest.mark.parametrize(
    "penalty",
    [
        regularizers.SoftOrthogonality(1.0),
        regularizers.DoubleSoftOrthogonality(0.5),
        regularizers.SpectralRestrictedIsometry(1.0, iterations=8),
    ],
    ids=lambda p: type(p).__name__,
)
def test_orthogonality_penalties_reach_orthonormal_kernels(rng, penalty, shape):
    w = descend(penalty, 0.3 * rng.normal(size=shape))
    singular = np.linalg.svd(w, compute_uv=False)
    np.testing.assert_allclose(singular, 1.0, atol=0.05)


def test_spectral_norm_penalty_takes_the_largest_singular_value_alone():
    """In the flow of the penalty the largest shrinks until it meets the next."""
    w = descend(regularizers.SpectralNorm(1.0, iterations=8), np.diag([4.0, 1.0]), 20)
    singular = np.linalg.svd(w, compute_uv=False)
    assert 1.5 < singular[0] < 3
    np.testing.assert_allclose(singular[1], 1.0, rtol=1e-3)


def test_spectral_norm_constraint_bounds_the_lipschitz_constant_of_a_model(rng):
    """Three layers with the bound 0.9 and 1-Lipschitz activations: 0.9³ for any two inputs."""
    keras.utils.set_random_seed(0)
    bounded = {"kernel_constraint": constraints.SpectralNorm(0.9)}
    model = keras.Sequential(
        [keras.Input((6,))] + [keras.layers.Dense(16, a, **bounded) for a in ("relu", "tanh", None)]
    )
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x, y = rng.normal(size=(320, 6)), 10 * rng.normal(size=(320, 16))
    model.fit(x, y, batch_size=32, epochs=8, verbose=0)
    a = rng.normal(size=(500, 6)).astype("float32")
    for size in (1e-2, 1.0):
        b = a + (size * rng.normal(size=a.shape)).astype("float32")
        moved = np.linalg.norm(backend.as_numpy(model(a)) - backend.as_numpy(model(b)), axis=1)
        assert np.max(moved / np.linalg.norm(a - b, axis=1)) < 0.9**3 * 1.001
    norms = [np.linalg.norm(backend.as_numpy(layer.kernel), 2) for layer in model.layers]
    np.testing.assert_allclose(max(norms), 0.9, rtol=2e-3)  # the task pulls to the bound


def test_stiefel_recurrent_kernel_keeps_lengths_over_a_hundred_steps(rng):
    kernel = 3 * rng.normal(size=(8, 8)).astype("float32")
    Q = backend.as_numpy(constraints.Stiefel()(ops.convert_to_tensor(kernel)))
    h = rng.normal(size=8)
    end = h @ np.linalg.matrix_power(Q.astype("float64"), 100)
    np.testing.assert_allclose(np.linalg.norm(end), np.linalg.norm(h), rtol=1e-3)


# --- activities --------------------------------------------------------------------------


def test_decorrelation_falls_and_variances_stay(rng):
    """Gradient steps on the penalty alone take out what units share."""
    shared = rng.normal(size=(64, 1))
    h = (shared + 0.5 * rng.normal(size=(64, 4))).astype("float32")
    less = descend(regularizers.Decorrelation(1.0), h, steps=100, rate=0.05)
    before, after = (np.corrcoef(v.T) - np.eye(4) for v in (h, less))
    assert np.abs(before).max() > 0.7
    assert np.abs(after).max() < 0.15


def test_hoyer_ends_sparse_and_large_where_l1_ends_sparse_and_small():
    """A scaled copy pays the same, so weights that matter keep their size."""
    target = np.array([2.0, 0.2, -1.0, -0.1])
    w, shrunk = (
        fit_line(p, target) for p in (regularizers.Hoyer(0.25), keras.regularizers.L1(0.25))
    )
    np.testing.assert_allclose([w[[1, 3]], shrunk[[1, 3]]], 0, atol=0.05)
    assert w[0] > 2.0
    assert shrunk[0] < 1.8


def test_total_variation_denoises_and_keeps_the_edge(rng):
    """A noisy step comes out as two flat pieces; squared differences would blur it."""
    clean = np.repeat([0.0, 2.0], 20)
    noisy = clean + 0.2 * rng.normal(size=40)
    w = fit_line(regularizers.TotalVariation(0.6, axes=0), noisy, steps=300, rate=0.1, decay=0.985)
    assert np.std(w[2:17]) < 0.4 * np.std(noisy[2:17])
    assert w[20] - w[19] > 1.6


# --- initial weights ---------------------------------------------------------------------


def deep(kernel_initializer, depth=20):
    dense = [
        keras.layers.Dense(32, "relu", kernel_initializer=kernel_initializer) for _ in range(depth)
    ]
    return keras.Sequential([keras.Input((32,)), *dense])


def variances_before_activations(model, x):
    h, found = x, []
    for layer in model.layers:
        found.append(np.var(h @ backend.as_numpy(layer.kernel)))
        h = np.maximum(h @ backend.as_numpy(layer.kernel), 0)
    return found


def test_lsuv_gives_unit_variance_through_twenty_layers_where_glorot_does_not(rng):
    x = rng.normal(3.0, 2.0, size=(200, 32)).astype("float32")
    model = deep(keras.initializers.GlorotUniform(seed=1))
    assert variances_before_activations(model, x)[-1] < 1e-3
    initializers.lsuv(model, x, seed=1)
    np.testing.assert_allclose(variances_before_activations(model, x), 1.0, rtol=0.02)


def test_delta_orthogonal_keeps_the_signal_through_forty_convolutions(rng):
    """Lengths stay in depth, for any image; with orthogonal kernels they do not."""

    def after(initializer):
        h = rng.normal(size=(1, 8, 8, 4)).astype("float32")
        start = np.linalg.norm(h)
        for seed in range(40):
            kernel = initializer(seed=seed)((3, 3, 4, 4))
            h = ops.conv(h, kernel, padding="same", data_format="channels_last")
        return np.linalg.norm(backend.as_numpy(h)) / start

    np.testing.assert_allclose(after(initializers.DeltaOrthogonal), 1, rtol=1e-2)
    assert not 0.5 < after(keras.initializers.Orthogonal) < 2
