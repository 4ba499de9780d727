"""Theory of optimizers: rates, momentum, Adam's scale invariance, averaging."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import optimizers, training
from kcatalog.conformance import descent

CURVATURE = np.array([1.0, 100.0])  # condition number 100


def descend(optimizer, steps, curvature=CURVATURE, noise=0.0, draws=1):
    """Distance from the minimum of ½ Σ λ w² after some steps from (1, 1), a mean over draws."""
    rng, w = np.random.default_rng(0), keras.Variable(np.ones((draws, 2), "float32"))
    step = descent.steps(optimizer, w)
    for _ in range(steps):
        gradient = curvature * ops.convert_to_numpy(w) + noise * rng.normal(size=w.shape)
        step(ops.convert_to_tensor(gradient.astype("float32")))
    optimizer.finalize_variable_values([w])
    return np.mean(np.linalg.norm(ops.convert_to_numpy(w), axis=1))


@pytest.mark.parametrize(("rate", "converges"), [(1.9 / 100, True), (2.1 / 100, False)])
def test_gradient_descent_converges_below_two_over_the_largest_curvature(rate, converges):
    distance = descend(keras.optimizers.SGD(rate), 100)
    assert (distance < 1.0) == converges


def test_gradient_descent_contracts_by_one_minus_rate_times_curvature():
    distance = descend(keras.optimizers.SGD(0.01), 100, curvature=np.array([1.0, 1.0]))
    np.testing.assert_allclose(distance, np.sqrt(2) * 0.99**100, rtol=1e-4)


def test_momentum_beats_plain_descent_on_an_ill_conditioned_valley():
    """With the best rates, (κ - 1)/(κ + 1) per step against (√κ - 1)/(√κ + 1)."""
    plain = descend(keras.optimizers.SGD(2 / 101), 100)
    beta = ((10 - 1) / (10 + 1)) ** 2
    heavy = descend(keras.optimizers.SGD((2 / 11) ** 2, momentum=beta), 100)
    assert heavy < plain / 1000


def steps_to(optimizer, curvature, tolerance=0.05, most=1000):
    """Steps until both coordinates of ½ Σ λ w² are within a tolerance of 0, starting from 1."""
    variable = keras.Variable(np.ones(2, "float32"))
    step = descent.steps(optimizer, variable)
    for count in range(most):
        w = ops.convert_to_numpy(variable)
        if np.max(np.abs(w)) < tolerance:
            return count
        step(ops.convert_to_tensor((curvature * w).astype("float32")))
    return most


def test_momentum_and_nesterov_need_fewer_steps_on_an_ill_conditioned_valley():
    """Condition 100, each method with its best rate and momentum for it.

    Per step plain descent keeps (κ - 1)/(κ + 1) of the distance, momentum (√κ - 1)/(√κ + 1) and
    Nesterov's at least √(1 - 1/√κ): of 0.980, 0.818 and 0.949 follow 345, 34 and 132 steps to a
    thousandth, up to a factor for the beginning.
    """
    root = np.sqrt(100.0)
    share = (root - 1) / (root + 1)
    plain = steps_to(keras.optimizers.SGD(2 / 101), CURVATURE, 1e-3)
    heavy = steps_to(keras.optimizers.SGD((2 / 11) ** 2, momentum=share**2), CURVATURE, 1e-3)
    nesterov = keras.optimizers.SGD(1 / 100, momentum=share, nesterov=True)
    nesterov = steps_to(nesterov, CURVATURE, 1e-3)
    assert abs(plain - np.log(1e-3) / np.log(99 / 101)) <= 2
    assert heavy < plain / 4
    assert nesterov < plain / 2.5


ADAPTIVE = {
    "Adagrad": lambda: keras.optimizers.Adagrad(0.25, initial_accumulator_value=0.0, epsilon=1e-12),
    "RMSprop": lambda: keras.optimizers.RMSprop(0.02, epsilon=1e-12),
    "Adam": lambda: keras.optimizers.Adam(0.05, epsilon=1e-12),
    "Yogi": lambda: optimizers.Yogi(0.05, epsilon=1e-12, initial_accumulator_value=0.0),
}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_adaptive_methods_need_the_same_steps_whatever_the_scale_of_a_coordinate(name):
    """One coordinate 10000 times as steep as the other: they divide each by its own root."""
    even, uneven = (steps_to(ADAPTIVE[name](), np.array([1.0, c])) for c in (1.0, 1e4))
    assert 5 < even < 200
    assert abs(uneven - even) <= 1


def test_the_steps_of_gradient_descent_grow_with_the_scale_of_a_coordinate():
    """With the best rate, 2 / (1 + κ): 1 step at κ = 1, then as many more as κ is larger."""
    steps = {
        k: steps_to(keras.optimizers.SGD(2 / (1 + k)), np.array([1.0, k])) for k in (1, 10, 100)
    }
    assert steps[1] == 1
    assert steps[10] == pytest.approx(np.log(0.05) / np.log(9 / 11), abs=2)
    assert steps[100] == pytest.approx(10 * steps[10], rel=0.1)


def test_adam_does_not_mind_the_gradients_scale():
    """Multiplying the loss by a constant leaves Adam's steps as they are; SGD's grow."""
    steps = [
        descend(keras.optimizers.Adam(0.01, epsilon=1e-12), 20, c * CURVATURE) for c in (1, 50)
    ]
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-3)


def test_adams_first_step_is_the_learning_rate():
    w = keras.Variable(np.zeros(3, "float32"))
    keras.optimizers.Adam(0.01, epsilon=1e-12).apply(
        [ops.convert_to_tensor([1e-3, -5.0, 700.0])], [w]
    )
    np.testing.assert_allclose(ops.convert_to_numpy(w), [-0.01, 0.01, -0.01], rtol=1e-3)


@pytest.mark.slow
def test_averaging_weights_reduces_the_noise_of_a_constant_rate():
    """SGD at a constant rate hovers; the mean of where it hovered is closer to the minimum."""
    flat = np.array([1.0, 2.0])
    last = descend(keras.optimizers.SGD(0.2), 400, flat, noise=1.0)
    averaged = optimizers.StochasticWeightAveraging(
        keras.optimizers.SGD(0.2), start_step=100, average_period=1
    )
    assert descend(averaged, 400, flat, noise=1.0) < last / 2


@pytest.mark.slow
def test_schedule_free_needs_no_schedule_to_leave_the_noise():
    """SGD at a constant rate hovers; schedule-free SGD at that rate comes nearer, at any length.

    Mean distances of 200 draws by the equations alone: SGD 0.37 after 100 steps and after 400,
    with a rate that falls linearly to zero 0.14 and 0.10, schedule-free 0.18 and 0.11.
    """

    def distance(optimizer, steps=400):
        return descend(optimizer, steps, np.array([1.0, 2.0]), noise=1.0, draws=20)

    def schedule_free():
        return optimizers.ScheduleFree(keras.optimizers.SGD(0.2))

    decay = keras.optimizers.schedules.PolynomialDecay(0.2, 400, 0.0)
    end = distance(schedule_free())
    assert end < distance(keras.optimizers.SGD(0.2)) / 2
    assert end < 1.5 * distance(keras.optimizers.SGD(decay))
    assert end < distance(schedule_free(), 100)


def test_decoupled_weight_decay_shrinks_by_the_same_part_whatever_the_gradient():
    """AdamW: with no gradient a weight shrinks by 1 - rate · decay at every step."""
    w = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.apply([ops.zeros(2)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w), np.array([1, -2]) * 0.95**3, rtol=1e-5)


@pytest.mark.parametrize(("radius", "low", "high"), [(None, 18.2, 18.5), (0.1, 3.9, 4.3)])
def test_sharpness_aware_steps_end_in_a_flat_minimum(radius, low, high):
    """All `a b = 1` are minima of `(a b - 1)²`, whose largest curvature is `2 (a² + b²)`.

    From (3, 0.2), gradient descent ends beside its start, at a curvature of 18.4; SAM goes on
    along the valley to about (1.1, 0.9), near the least curvature there is, 4.
    """
    values = map(keras.initializers.Constant, (3.0, 0.2))
    line = [keras.layers.Dense(1, use_bias=False, kernel_initializer=v) for v in values]
    model = keras.Sequential([keras.Input((1,)), *line])
    inner = keras.optimizers.SGD(0.05)
    optimizer = inner if radius is None else optimizers.SAM(inner, radius=radius)
    model.compile(optimizer, "mse", jit_compile=False)
    one = np.ones((1000, 1), "float32")
    training.attach(model).fit(one, one, batch_size=1, verbose=0)
    a, b = (float(ops.convert_to_numpy(v)[0, 0]) for v in model.trainable_variables)
    assert (a * b - 1) ** 2 < 1e-3
    assert low < 2 * (a**2 + b**2) < high
