import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import Adan
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, B3, LR, EPSILON = 0.75, 0.875, 1 - 2**-10, 0.0625, 1e-6
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "beta_3": B3, "epsilon": EPSILON}


def equation(w, g, t, m, v, n, last):
    """Algorithm 1 of Xie et al., with decays in the place of their complements."""
    d = 0.0 if t == 1 else g - last
    m = B1 * m + (1 - B1) * g
    v = B2 * v + (1 - B2) * d
    n = B3 * n + (1 - B3) * (g + B2 * d) ** 2
    m_hat, v_hat, n_hat = m / (1 - B1**t), v / (1 - B2**t), n / (1 - B3**t)
    return w - LR * (m_hat + B2 * v_hat) / (math.sqrt(n_hat) + EPSILON), m, v, n, g


def test_reference():
    assert_same_paths(lambda: Adan(**SETTINGS), paths(one_by_one(equation, 0.0, 0.0, 0.0, 0.0)))


@pytest.mark.parametrize(("peer", "beta_2"), [("optax", 0.5), ("pytorch", 0.875)])
def test_golden(peer, beta_2):
    settings = {**SETTINGS, "beta_2": beta_2}
    assert_same_paths(lambda: Adan(**settings), golden(f"{peer}_optimizer_adan"))


def test_a_gradient_that_does_not_change_makes_the_steps_of_adam():
    """All differences are 0, and all means are the gradient."""
    optimizer, w = Adan(0.125), keras.Variable([0.0, 0.0])
    for _ in range(4):
        optimizer.apply([ops.array([3.0, -1e-3])], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-0.5, 0.5], rtol=1e-4)
