import keras
import numpy as np
from keras import ops

from kcatalog.optimizers import COCOB
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths


def reference(start, alpha=100.0):
    """Algorithm 2 of Orabona and Tommasi, one number at a time."""
    first = [list(w.ravel()) for w in start]
    weights = [list(w) for w in first]
    largest, total, theta, reward = ([[0.0] * len(w) for w in first] for _ in range(4))

    def step(gradients):
        for k, g in enumerate(gradients):
            for i, g_i in enumerate(-g.ravel()):  # the paper's g is a negative gradient
                largest[k][i] = max(largest[k][i], abs(g_i))
                total[k][i] += abs(g_i)
                reward[k][i] = max(reward[k][i] + (weights[k][i] - first[k][i]) * g_i, 0.0)
                theta[k][i] += g_i
                L = largest[k][i]
                bet = theta[k][i] / (L * max(total[k][i] + L, alpha * L))
                weights[k][i] = first[k][i] + bet * (L + reward[k][i])
        return [np.reshape(w, a.shape) for w, a in zip(weights, start, strict=True)]

    return step


# In float64 alone: what is won is bet again, so that rounding grows as fast as the weights do.


def test_reference():
    expected = paths(lambda start: reference(start, 10.0))
    assert_same_paths(lambda: COCOB(alpha=10.0), expected, ("float64",))


def test_golden():
    assert_same_paths(lambda: COCOB(alpha=100.0), golden("tfa_optimizer_cocob"), ("float64",))


def test_scaling_the_loss_changes_nothing():
    ends = []
    for unit in (1e-30, 1.0, 1e30):
        optimizer, w = COCOB(alpha=2.0), keras.Variable([0.0, 1.0])
        for g in ([1.0, -2.0], [0.5, -1.0], [-0.25, 3.0]):
            optimizer.apply([ops.array(g) * unit], [w])
        ends.append(ops.convert_to_numpy(w.value))
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, rtol=1e-5)


def test_without_a_gradient_nothing_moves():
    optimizer, w = COCOB(), keras.Variable([0.0, 1.0])
    optimizer.apply([ops.zeros((2,))], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [0.0, 1.0])
