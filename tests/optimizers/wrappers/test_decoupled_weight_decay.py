import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import DecoupledWeightDecay
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

LR, MOMENTUM, DECAY = 0.0625, 0.75, 2**-6


def reference(start):
    """Algorithm 1 of Loshchilov and Hutter with a constant schedule, entry by entry."""
    weights = [list(w.ravel()) for w in start]
    momenta = [[0.0] * len(w) for w in weights]

    def step(gradients):
        for w, m, g in zip(weights, momenta, gradients, strict=True):
            for i, g_i in enumerate(g.ravel()):
                m[i] = MOMENTUM * m[i] + LR * g_i
                w[i] = w[i] - m[i] - DECAY * w[i]
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


def sgdw():
    return DecoupledWeightDecay(keras.optimizers.SGD(LR, MOMENTUM), DECAY)


def adamw(decay=DECAY):
    inner = keras.optimizers.Adam(LR, MOMENTUM, 1 - 2**-10, epsilon=2**-20)
    return DecoupledWeightDecay(inner, decay)


def scheduled():
    return adamw(keras.optimizers.schedules.PiecewiseConstantDecay([4, 20], [2**-6, 2**-7, 0.0]))


def test_reference():
    assert_same_paths(sgdw, paths(reference))


@pytest.mark.parametrize(
    ("name", "make"), [("sgdw", sgdw), ("adamw", adamw), ("adamw_schedule", scheduled)]
)
def test_golden(name, make):
    assert_same_paths(make, golden(f"tfa_optimizer_{name}"))


def test_excluded_weights_and_a_rate_of_zero():
    kernel, bias = (keras.Variable([1.0], name=name) for name in ("kernel", "bias"))
    optimizer = DecoupledWeightDecay(keras.optimizers.SGD(0.0), 0.25, exclude=["bias"])
    for _ in range(2):
        optimizer.apply([ops.ones(1), ops.ones(1)], [kernel, bias])
    ends = [float(ops.convert_to_numpy(v.value)[0]) for v in (kernel, bias)]
    np.testing.assert_allclose(ends, [0.75**2, 1.0])


def test_a_schedule_is_saved():
    again = keras.optimizers.deserialize(keras.optimizers.serialize(scheduled()))
    assert again.decay.get_config() == scheduled().decay.get_config()
