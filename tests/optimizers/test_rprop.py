import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import Rprop
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

SETTINGS = {"learning_rate": 0.0625, "grow": 1.25, "min_scale": 2**-10, "max_scale": 64}


def reference(start, lr=0.0625, grow=1.25, shrink=0.5, low=2**-10, high=64):
    """iRprop- of Igel and Hüsken, one number at a time, with `η s` as the step."""
    weights = [list(w.ravel()) for w in start]
    s = [[1.0] * len(w) for w in weights]
    last = [[0.0] * len(w) for w in weights]

    def step(gradients):
        for k, g in enumerate(gradients):
            for i, g_i in enumerate(g.ravel()):
                if g_i * last[k][i] > 0:
                    s[k][i] = min(s[k][i] * grow, high)
                elif g_i * last[k][i] < 0:
                    s[k][i] = max(s[k][i] * shrink, low)
                    g_i = 0.0
                weights[k][i] -= lr * s[k][i] * np.sign(g_i)
                last[k][i] = g_i
        return [np.reshape(w, a.shape) for w, a in zip(weights, start, strict=True)]

    return step


# In float64 alone: a gradient near 0 may have the other sign in float32, and the step with it.


def test_reference():
    assert_same_paths(lambda: Rprop(**SETTINGS), paths(reference), ("float64",))


def test_golden():
    assert_same_paths(lambda: Rprop(**SETTINGS), golden("torch_rprop"), ("float64",))


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
def test_the_size_of_gradients_does_not_matter(unit):
    optimizer, w = Rprop(1.0), keras.Variable([0.0])
    for g in (1.0, 2.0, -0.5, -0.5):
        optimizer.apply([ops.array([g * unit])], [w])
    # -1, -1.2, stays, +0.6
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-1.6], rtol=1e-6)


def test_steps_stay_within_their_bounds():
    optimizer, w = Rprop(0.5, max_scale=2.0, min_scale=0.5), keras.Variable([0.0])
    before, lengths = 0.0, []
    for g in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0):
        optimizer.apply([ops.array([g])], [w])
        now = float(ops.convert_to_numpy(w.value)[0])
        lengths.append(abs(now - before))
        before = now
    assert max(lengths) == pytest.approx(0.5 * 2.0)
    assert min(length for length in lengths if length) == pytest.approx(0.5 * 0.5)
