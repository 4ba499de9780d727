import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import Cautious
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

LR, MOMENTUM = 0.0625, 0.75


def reference(start, epsilon=0.5, decay=0.0625):
    """Algorithm 1 of Liang et al. around SGD with momentum and weight decay, entry by entry."""
    weights = [list(w.ravel()) for w in start]
    momenta = [[0.0] * len(w) for w in weights]

    def step(gradients):
        for w, m, g in zip(weights, momenta, gradients, strict=True):
            u = []
            for i, g_i in enumerate(g.ravel()):
                w[i] -= LR * decay * w[i]
                m[i] = MOMENTUM * m[i] + LR * g_i
                u.append(m[i])
            agrees = [u_i * g_i > 0 for u_i, g_i in zip(u, g.ravel(), strict=True)]
            for i in range(len(w)):
                if agrees[i]:
                    w[i] -= u[i] * len(w) / (sum(agrees) + epsilon)
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


def test_reference():
    def make():
        return Cautious(keras.optimizers.SGD(LR, MOMENTUM, weight_decay=0.0625), epsilon=0.5)

    assert_same_paths(make, paths(reference))


def test_golden():
    peer = golden("pytorch_optimizer_cautious_lion")
    assert_same_paths(lambda: Cautious(keras.optimizers.Lion(2**-6, 0.75, 1 - 2**-6)), peer)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Nadam"])
def test_no_entry_moves_against_its_gradient(rng, name):
    inner = getattr(keras.optimizers, name)(0.1)
    optimizer, w = Cautious(inner), keras.Variable(rng.normal(size=(4, 5)).astype("float32"))
    inner.weight_decay, waited = None, 0
    for g in rng.normal(size=(6, 4, 5)).astype("float32"):
        before = ops.convert_to_numpy(w.value)
        optimizer.apply([ops.convert_to_tensor(g)], [w])
        move = ops.convert_to_numpy(w.value) - before
        assert np.all(move * g <= 0)
        waited += np.sum(move == 0)
    assert waited > 0 or name == "RMSprop"  # has no momentum


def test_nothing_agrees_and_a_nan_stays_a_nan():
    w = keras.Variable([1.0, 2.0])
    optimizer = Cautious(keras.optimizers.SGD(0.1, momentum=0.9), epsilon=0.0)
    optimizer.apply([ops.zeros(2)], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [1.0, 2.0])
    optimizer.apply([ops.convert_to_tensor([np.nan, 0.0])], [w])
    assert np.isnan(ops.convert_to_numpy(w.value)[0])


def test_products_that_would_vanish_still_agree():
    w = keras.Variable([0.0])
    Cautious(keras.optimizers.SGD(1.0), epsilon=0.0).apply([ops.full((1,), 1e-30)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-1e-30], rtol=1e-6)
