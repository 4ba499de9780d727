import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.ops.moments import effective_length
from kcatalog.optimizers import RectifiedAdam
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, LR, EPSILON = 0.75, 1 - 2**-10, 0.0625, 1e-6
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "epsilon": EPSILON}


def equation(w, g, t, m, v):
    """Algorithm 2 of Liu et al."""
    m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
    limit = 2 / (1 - B2) - 1
    rho = limit - 2 * t * B2**t / (1 - B2**t)
    m_hat = m / (1 - B1**t)
    if rho <= 4:
        return w - LR * m_hat, m, v
    r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    return w - LR * r * m_hat / (math.sqrt(v / (1 - B2**t)) + EPSILON), m, v


def test_reference():
    assert_same_paths(lambda: RectifiedAdam(**SETTINGS), paths(one_by_one(equation, 0.0, 0.0)))


@pytest.mark.parametrize("peer", ["optax", "tfa"])
def test_golden(peer):
    assert_same_paths(lambda: RectifiedAdam(**SETTINGS), golden(f"{peer}_optimizer_rectified_adam"))


def test_golden_of_pytorch_differs_in_the_fifth_step():
    """PyTorch's second moment acts from the sixth step on: before, both agree, then neither."""
    theirs = golden("torch_rectified_adam")["quadratic"]
    ours = golden("optax_optimizer_rectified_adam")["quadratic"]
    np.testing.assert_allclose(theirs[:3], ours[:3], 1e-9)  # steps 1, 2, 3
    assert np.abs(theirs[3] - ours[3]).max() > 1e-3  # step 5


@pytest.mark.parametrize("beta", [0.61, 0.9, 0.999, 0.999999])
def test_the_effective_length_keeps_its_digits(beta):
    """Compared with the mean age in an average, summed up value by value."""
    t = np.array([1, 2, 4, 5, 10, 100, 1000, 20000])
    weights = beta ** np.arange(t.max())
    expected = [2 * (weights[:n] @ np.arange(1, n + 1)) / weights[:n].sum() - 1 for n in t]
    found = ops.convert_to_numpy(effective_length(beta, ops.convert_to_tensor(t, "float32")))
    np.testing.assert_allclose(found, expected, rtol=3e-6)


def test_the_first_adaptive_step_is_short_and_later_ones_are_not():
    optimizer, w = RectifiedAdam(0.1, beta_2=0.95), keras.Variable([0.0])
    path = [0.0]
    for _ in range(100):
        optimizer.apply([ops.array([3.0])], [w])
        path.append(float(ops.convert_to_numpy(w.value)[0]))
    moves = -np.diff(path)
    np.testing.assert_allclose(moves[:4], 0.3, rtol=1e-4)  # four steps of SGD
    assert moves[4] < 0.02
    np.testing.assert_allclose(moves[-1], 0.1, rtol=2e-2)
