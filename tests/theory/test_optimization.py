"""Theory of optimizers: rates, momentum, Adam's scale invariance, averaging."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import optimizers

CURVATURE = np.array([1.0, 100.0])  # condition number 100


def descend(optimizer, steps, curvature=CURVATURE, noise=0.0):
    """Distance from the minimum of ½ Σ λ w² after some steps from (1, 1)."""
    rng, w = np.random.default_rng(0), keras.Variable(np.ones(2, "float32"))
    for _ in range(steps):
        gradient = curvature * ops.convert_to_numpy(w) + noise * rng.normal(size=2)
        optimizer.apply([ops.convert_to_tensor(gradient.astype("float32"))], [w])
    optimizer.finalize_variable_values([w])
    return np.linalg.norm(ops.convert_to_numpy(w))


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


def test_decoupled_weight_decay_shrinks_by_the_same_part_whatever_the_gradient():
    """AdamW: with no gradient a weight shrinks by 1 - rate · decay at every step."""
    w = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.apply([ops.zeros(2)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w), np.array([1, -2]) * 0.95**3, rtol=1e-5)
