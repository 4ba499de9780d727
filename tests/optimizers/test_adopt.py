import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import ADOPT
from tests.golden.load import golden
from tests.optimizers.loops import one_by_one
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, LR, EPSILON = 0.75, 1 - 2**-10, 0.0625, 1e-6
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "epsilon": EPSILON}


def equation(w, g, t, m, v):
    """The clipped algorithm 2 of Taniguchi et al., whose step 0 is the first."""
    if t == 1:
        return w, m, g * g
    c = (t - 1) ** 0.25
    scaled = min(max(g / max(math.sqrt(v), EPSILON), -c), c)
    m = B1 * m + (1 - B1) * scaled
    return w - LR * m, m, B2 * v + (1 - B2) * g * g


def test_reference():
    assert_same_paths(lambda: ADOPT(**SETTINGS), paths(one_by_one(equation, 0.0, 0.0)))


@pytest.mark.parametrize("peer", ["optax", "pytorch"])
def test_golden(peer):
    assert_same_paths(lambda: ADOPT(**SETTINGS), golden(f"{peer}_optimizer_adopt"))


def test_an_element_begins_with_its_first_gradient_other_than_0():
    """A row of an embedding that comes late makes the steps of one that comes at once."""
    optimizer, w = ADOPT(0.125, beta_1=0.0), keras.Variable([0.0, 0.0])
    for g in ([2.0, 0.0], [2.0, 0.0], [2.0, 2.0], [2.0, 2.0]):
        optimizer.apply([ops.array(g)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-0.375, -0.125], rtol=1e-6)


def test_a_first_gradient_near_0_does_not_explode():
    """Without the clip the second step would be 1e6 times the rate."""
    optimizer, w = ADOPT(0.125, beta_1=0.0), keras.Variable([0.0])
    for g in (1e-9, 1.0):
        optimizer.apply([ops.array([g])], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-0.125], rtol=1e-6)
