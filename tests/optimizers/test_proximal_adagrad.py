import keras
import numpy as np
from keras import ops

from kcatalog.optimizers import ProximalAdagrad
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

SETTINGS = {"learning_rate": 2**-4, "l1": 2**-6, "l2": 0.125, "initial_accumulator_value": 0.125}


def reference(start, lr=2**-4, l1=2**-6, l2=0.125, a=0.125):
    """Forward and backward steps of Duchi and Singer, the latter by its three cases."""
    weights = [list(w.ravel()) for w in start]
    sums = [[a] * len(w) for w in weights]

    def step(gradients):
        for k, g in enumerate(gradients):
            for i, g_i in enumerate(g.ravel()):
                sums[k][i] += g_i**2
                rate = lr / sums[k][i] ** 0.5
                half = weights[k][i] - rate * g_i
                if half > rate * l1:
                    weights[k][i] = (half - rate * l1) / (1 + rate * l2)
                elif half < -rate * l1:
                    weights[k][i] = (half + rate * l1) / (1 + rate * l2)
                else:
                    weights[k][i] = 0.0
        return [np.reshape(w, b.shape) for w, b in zip(weights, start, strict=True)]

    return step


def test_reference():
    assert_same_paths(lambda: ProximalAdagrad(**SETTINGS), paths(reference))


def test_golden():
    expected = golden("tfa_optimizer_proximal_adagrad")
    # TensorFlow's kernel takes 1 / √a to seven digits
    assert_same_paths(lambda: ProximalAdagrad(**SETTINGS), expected, ("float32",))


def test_weights_that_do_not_pay_become_exactly_zero():
    """The minimum of (w - c)² / 2 + l₁ |w| is c less l₁, and 0 for a smaller c."""
    c, w = ops.array([2.0, 0.3, -0.3, -1.5]), keras.Variable([1.0, 1.0, 1.0, 1.0])
    optimizer = ProximalAdagrad(0.5, l1=0.5)
    for _ in range(200):
        optimizer.apply([w.value - c], [w])
    end = ops.convert_to_numpy(w.value)
    np.testing.assert_array_equal(end[1:3], [0.0, 0.0])
    np.testing.assert_allclose(end[[0, 3]], [1.5, -1.0], rtol=1e-3)
