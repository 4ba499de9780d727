import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import Lookahead
from tests.golden.load import golden


def reference(w, gradients, k, alpha, rate):
    """Algorithm 1 of Zhang et al. with plain SGD inside, one weight at a time."""
    path = []
    slow = list(w)
    fast = list(w)
    for t, g in enumerate(gradients, start=1):
        for i in range(len(fast)):
            fast[i] = fast[i] - rate * g[i]
            if t % k == 0:
                slow[i] = slow[i] + alpha * (fast[i] - slow[i])
                fast[i] = slow[i]
        path.append(list(fast))
    return path


@pytest.mark.parametrize(("k", "alpha"), [(1, 0.5), (3, 0.2), (4, 1.0)])
def test_reference(rng, k, alpha):
    start, gradients = rng.normal(size=5), rng.normal(size=(9, 5))
    w = keras.Variable(start.astype("float32"))
    optimizer = Lookahead(keras.optimizers.SGD(0.1), sync_period=k, slow_step_size=alpha)
    for g, expected in zip(gradients, reference(start, gradients, k, alpha, 0.1), strict=True):
        optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [w])
        np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-5, atol=1e-6)


INNER = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.1),
}


@pytest.mark.parametrize("name", ["tfa_lookahead", "optax_lookahead"])
@pytest.mark.parametrize("inner", ["sgd", "adam"])
def test_golden(name, inner):
    peer = golden(name)
    path, gradients = peer[f"{inner}_w"], peer[f"{inner}_gradients"]
    period, step_size = int(peer["sync_period"]), float(peer["slow_step_size"])
    w = keras.Variable(path[0].astype("float32"))
    optimizer = Lookahead(INNER[inner](), sync_period=period, slow_step_size=step_size)
    for g, expected in zip(gradients, path[1:], strict=True):
        optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [w])
        np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-4, atol=1e-5)


def test_weights_loaded_after_build_are_where_the_slow_weights_start():
    w = keras.Variable(np.zeros(2, "float32"))
    optimizer = Lookahead(keras.optimizers.SGD(0.1), sync_period=1, slow_step_size=0.5)
    optimizer.build([w])
    w.assign([10.0, 10.0])
    optimizer.apply([ops.ones(2)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), 9.95, rtol=1e-6)


def test_periods_count_updates_not_micro_batches():
    w = keras.Variable(np.array([1.0], "float32"))
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    optimizer = Lookahead(inner, sync_period=2, slow_step_size=0.5)
    path = []
    for _ in range(5):
        optimizer.apply([ops.ones(1)], [w])
        path.append(float(ops.convert_to_numpy(w.value)[0]))
    np.testing.assert_allclose(path, [1.0, 0.9, 0.9, 0.9, 0.9], rtol=1e-6)
