import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import Signum
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

LR = 0.0625


def equation(momentum):
    """Algorithm 2 of Bernstein et al."""

    def step(w, g, t, m):
        m = momentum * m + (1 - momentum) * g
        return w - LR * np.sign(m), m

    return step


@pytest.mark.parametrize("momentum", [0.0, 0.75])
def test_reference(momentum):
    expected = paths(one_by_one(equation(momentum), 0.0))
    assert_same_paths(lambda: Signum(LR, momentum=momentum), expected)


@pytest.mark.parametrize(
    ("name", "momentum"),
    [
        ("optax_optimizer_sign_sgd", 0.0),
        ("optax_optimizer_signum", 0.75),
        ("pytorch_optimizer_signum", 0.75),
    ],
)
def test_golden(name, momentum):
    assert_same_paths(lambda: Signum(LR, momentum=momentum), golden(name))


def test_only_the_sign_counts_and_0_stays():
    optimizer, w = Signum(0.125), keras.Variable([1.0, 1.0, 1.0, 1.0])
    optimizer.apply([ops.array([1e-30, -1e30, 0.0, 7.0])], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [0.875, 1.125, 1.0, 0.875])


def test_without_momentum_there_is_no_slot():
    for momentum, slots in ((0.0, 0), (0.9, 1)):
        optimizer, w = Signum(momentum=momentum), keras.Variable([1.0, 2.0])
        optimizer.build([w])
        assert sum(v.shape == w.shape for v in optimizer.variables) == slots
