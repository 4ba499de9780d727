import math

import keras
import numpy as np
from keras import ops

from kcatalog.optimizers import AdEMAMix
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, B3, LR, ALPHA, EPSILON = 0.75, 1 - 2**-10, 1 - 2**-7, 0.0625, 4.0, 1e-6
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "beta_3": B3}
SETTINGS |= {"alpha": ALPHA, "epsilon": EPSILON}
T = 32


def equation(w, g, t, m_1, m_2, v):
    """Algorithm 1 of Pagliardini et al., with the schedules of its section 3."""
    alpha = min(t * ALPHA / T, ALPHA)
    low, high = math.log(B1), math.log(B3)
    beta_3 = min(math.exp(low * high / ((1 - t / T) * high + t / T * low)), B3)
    m_1 = B1 * m_1 + (1 - B1) * g
    m_2 = beta_3 * m_2 + (1 - beta_3) * g
    v = B2 * v + (1 - B2) * g * g
    m_hat, v_hat = m_1 / (1 - B1**t), v / (1 - B2**t)
    return w - LR * (m_hat + alpha * m_2) / (math.sqrt(v_hat) + EPSILON), m_1, m_2, v


def test_reference():
    expected = paths(one_by_one(equation, 0.0, 0.0, 0.0))
    assert_same_paths(lambda: AdEMAMix(**SETTINGS, warmup_steps=T), expected)


def test_golden_with_warm_up():
    expected = golden("pytorch_optimizer_ademamix")
    assert_same_paths(lambda: AdEMAMix(**SETTINGS, warmup_steps=T), expected)


def test_golden_without():
    assert_same_paths(lambda: AdEMAMix(**SETTINGS), golden("optax_optimizer_ademamix"))


def test_without_a_fast_mean_its_slot_is_saved_and_the_step_is_the_same():
    """A decay of nearly 0 keeps the slot; `beta_1=0` has none."""
    ends, slots = [], []
    for beta_1 in (0.0, 1e-30):
        optimizer = AdEMAMix(0.125, beta_1=beta_1, beta_3=0.9, alpha=2.0, warmup_steps=4)
        w = keras.Variable([1.0, -2.0])
        for g in ([1.0, 3.0], [-0.5, 2.0], [0.25, 2.5], [1.0, 1.0], [2.0, -1.0]):
            optimizer.apply([ops.array(g)], [w])
        ends.append(ops.convert_to_numpy(w.value))
        slots.append(sum(v.shape == w.shape for v in optimizer.variables))
    assert slots == [2, 3]
    np.testing.assert_allclose(*ends, rtol=2e-2)  # log 1e-30 is not yet infinite
    assert np.abs(ends[0] - [1.0, -2.0]).min() > 0.1
