import math

import keras
import pytest
from keras import ops

from kcatalog.optimizers import AdaBelief
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, LR, EPSILON = 0.75, 1 - 2**-10, 0.0625, 1e-6
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "epsilon": EPSILON}


def equation(w, g, t, m, s):
    """Algorithm 2 of Zhuang et al."""
    m = B1 * m + (1 - B1) * g
    s = B2 * s + (1 - B2) * (g - m) ** 2 + EPSILON
    m_hat, s_hat = m / (1 - B1**t), s / (1 - B2**t)
    return w - LR * m_hat / (math.sqrt(s_hat) + EPSILON), m, s


def test_reference():
    assert_same_paths(lambda: AdaBelief(**SETTINGS), paths(one_by_one(equation, 0.0, 0.0)))


@pytest.mark.parametrize("peer", ["optax_optimizer", "pytorch_optimizer", "tfa_optimizer"])
def test_golden(peer):
    assert_same_paths(lambda: AdaBelief(**SETTINGS), golden(f"{peer}_ada_belief"))


def test_gradients_that_agree_make_longer_steps_than_those_that_do_not():
    """Adam's steps in both directions would be `η` and 0."""
    optimizer, w = AdaBelief(0.1), keras.Variable([0.0, 0.0])
    for sign in (1.0, -1.0) * 20:
        before = ops.convert_to_numpy(w.value)
        optimizer.apply([ops.array([1.0, sign])], [w])
    steady, noisy = abs(ops.convert_to_numpy(w.value) - before)
    assert steady > 0.2
    assert noisy < 0.02


def test_without_gradients_nothing_moves():
    optimizer, w = AdaBelief(0.1), keras.Variable([1.0])
    for _ in range(3):
        optimizer.apply([ops.array([0.0])], [w])
    assert float(ops.convert_to_numpy(w.value)[0]) == 1.0
