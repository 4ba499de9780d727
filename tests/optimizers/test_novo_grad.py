import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import NovoGrad
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, LR, EPSILON = 0.75, 1 - 2**-10, 0.0625, 1e-6
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "epsilon": EPSILON}


def reference(start):
    """Algorithm 1 of Ginsburg et al. without weight decay, one number at a time."""
    weights = [list(w.ravel()) for w in start]
    m = [[0.0] * len(w) for w in weights]
    v = [None] * len(weights)

    def step(gradients):
        for k, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            square = sum(g_i * g_i for g_i in g.ravel())
            v[k] = square if v[k] is None else B2 * v[k] + (1 - B2) * square
            for i, g_i in enumerate(g.ravel()):
                m[k][i] = B1 * m[k][i] + g_i / (math.sqrt(v[k]) + EPSILON)
                w[i] -= LR * m[k][i]
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


def test_reference():
    assert_same_paths(lambda: NovoGrad(**SETTINGS), paths(reference))


@pytest.mark.parametrize("peer", ["optax", "pytorch", "tfa"])
def test_golden(peer):
    assert_same_paths(lambda: NovoGrad(**SETTINGS), golden(f"{peer}_optimizer_novo_grad"))


def test_the_scale_of_a_gradient_does_not_matter():
    ends = []
    for scale in (1.0, 1e-3, 1e6):
        optimizer, w = NovoGrad(0.125), keras.Variable([1.0, 2.0])
        for g in ([3.0, 4.0], [-1.0, 2.0], [0.5, 0.0]):
            optimizer.apply([scale * ops.array(g)], [w])
        ends.append(ops.convert_to_numpy(w.value))
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, rtol=1e-4)


def test_a_weight_starts_with_its_first_gradient_other_than_0():
    """A layer that is unfrozen late begins with a step of the learning rate, as all do."""
    optimizer, w = NovoGrad(0.125), keras.Variable([0.0, 0.0])
    for g in ([0.0, 0.0], [0.0, 0.0], [3.0, 4.0]):
        optimizer.apply([ops.array(g)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-0.075, -0.1], rtol=1e-5)


def test_it_keeps_one_slot_and_one_number():
    optimizer, w = NovoGrad(), keras.Variable([[1.0, 2.0]])
    optimizer.build([w])
    shapes = [v.shape for v in optimizer.variables if "learning_rate" not in v.path]
    assert shapes.count((1, 2)) == 1
    assert shapes.count(()) == 2  # v, and Keras's count of steps
