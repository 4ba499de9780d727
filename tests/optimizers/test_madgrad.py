import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import MADGRAD
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

LR, EPSILON = 0.0625, 1e-6
# Sums of all gradients lose more digits in float32 than means that forget: 3e-5 on TensorFlow.
TOLERANCE = {"float32": 5e-5, "float64": 1e-9}


def equation(momentum):
    """Algorithm 1 of Defazio and Jelassi, which keeps the start of each number."""

    def step(w, g, t, s, v, start):
        start = w if t == 1 else start
        step_size = LR * t**0.5
        s, v = s + step_size * g, v + step_size * g * g
        z = start - s / (v ** (1 / 3) + EPSILON)
        return momentum * w + (1 - momentum) * z, s, v, start

    return step


def make(momentum):
    return MADGRAD(LR, momentum=momentum, epsilon=EPSILON)


@pytest.mark.parametrize("momentum", [0.0, 0.75])
def test_reference(momentum):
    expected = paths(one_by_one(equation(momentum), 0.0, 0.0, None))
    assert_same_paths(lambda: make(momentum), expected, tolerance=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "momentum"),
    [
        ("pytorch_optimizer_madgrad", 0.75),
        ("pytorch_optimizer_madgrad_plain", 0.0),
    ],
)
def test_golden(name, momentum):
    assert_same_paths(lambda: make(momentum), golden(name), tolerance=TOLERANCE)


def test_golden_of_optax():
    """It takes `√t` in float32, whatever the weights are."""
    tolerance = {"float32": 1e-5, "float64": 1e-7}
    assert_same_paths(lambda: make(0.75), golden("optax_optimizer_madgrad"), tolerance=tolerance)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_weight_decay_is_not_undone(momentum):
    """With a start that stands still, the next step would pull the weight back to it."""
    optimizer = MADGRAD(0.5, momentum=momentum, weight_decay=0.5)
    w = keras.Variable([1.0])
    for _ in range(4):
        optimizer.apply([ops.array([0.0])], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [0.75**4], rtol=1e-6)


def test_weights_that_are_loaded_stay_loaded():
    optimizer, w = MADGRAD(0.5), keras.Variable([1.0])
    optimizer.apply([ops.array([1.0])], [w])
    w.assign([100.0])
    optimizer.apply([ops.array([1.0])], [w])
    assert float(ops.convert_to_numpy(w.value)[0]) > 95


def test_slots_are_the_papers():
    for momentum, slots in ((0.0, 2), (0.9, 3)):
        optimizer, w = MADGRAD(momentum=momentum), keras.Variable([1.0, 2.0])
        optimizer.build([w])
        assert sum(v.shape == w.shape for v in optimizer.variables) == slots
