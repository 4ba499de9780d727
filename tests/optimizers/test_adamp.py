import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import AdamP
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

B1, B2, LR, EPSILON = 0.75, 1 - 2**-10, 0.0625, 1e-6
DELTA = 1.0  # so large that some steps of each problem are projected, by units or as a whole
SETTINGS = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "epsilon": EPSILON, "delta": DELTA}


def project(w, g, p):
    """Algorithm 2 of Heo et al.: by the columns, else as a whole, else not at all."""
    for columns in (w.shape[-1], 1):
        w2, g2, p2 = (a.reshape(-1, columns) for a in (w, g, p))
        cosines = []
        for j in range(columns):
            norms = math.sqrt(sum(w2[:, j] ** 2)) * math.sqrt(sum(g2[:, j] ** 2))
            cosines.append(abs(sum(w2[:, j] * g2[:, j])) / norms)
        if max(cosines) < DELTA / math.sqrt(len(w2)):
            q = p2.copy()
            for j in range(columns):
                q[:, j] -= sum(w2[:, j] * p2[:, j]) / sum(w2[:, j] ** 2) * w2[:, j]
            return q.reshape(w.shape), "units" if columns > 1 else "whole"
    return p, "no"


def reference(start, seen=None):
    weights = [w.copy() for w in start]
    m, v = ([np.zeros_like(w) for w in start] for _ in range(2))
    t = 0

    def step(gradients):
        nonlocal t
        t += 1
        for k, g in enumerate(gradients):
            m[k] = B1 * m[k] + (1 - B1) * g
            v[k] = B2 * v[k] + (1 - B2) * g * g
            p = m[k] / (1 - B1**t) / (np.sqrt(v[k] / (1 - B2**t)) + EPSILON)
            if p.ndim > 1:
                p, how = project(weights[k], g, p)
                if seen is not None:
                    seen.add(how)
            weights[k] = weights[k] - LR * p
        return [w.copy() for w in weights]

    return step


def test_reference():
    assert_same_paths(lambda: AdamP(**SETTINGS), paths(reference))


def test_reference_takes_every_branch():
    seen = set()
    paths(lambda start: reference(start, seen))
    assert seen == {"units", "whole", "no"}


def test_golden():
    """With a tiny epsilon: the peer adds it before the correction, and to the norms."""
    settings = {**SETTINGS, "epsilon": 1e-14}
    assert_same_paths(lambda: AdamP(**settings), golden("pytorch_optimizer_adamp"))


def test_a_layer_before_a_normalization_keeps_its_length():
    """The loss sees the direction of each column alone; Adam lengthens it."""
    lengths = []
    target = np.array([[0.6], [0.8], [0.0]], "float32")
    for optimizer in (AdamP(0.05), keras.optimizers.Adam(0.05)):
        w = keras.Variable([[0.3], [-0.2], [0.4]], name="kernel")
        start = np.linalg.norm(ops.convert_to_numpy(w.value))
        for _ in range(30):
            x = ops.convert_to_numpy(w.value)
            length = np.linalg.norm(x)
            u = x / length
            gradient = -(target - u * np.sum(u * target)) / length
            optimizer.apply([ops.convert_to_tensor(gradient)], [w])
        lengths.append(np.linalg.norm(ops.convert_to_numpy(w.value)) / start)
    ours, adams = lengths
    assert adams > 1.6
    assert ours < 1.2


@pytest.mark.parametrize("g", [[[0.0], [0.0]], [[1e30], [-1e30]], [[1e-30], [1e-30]]])
def test_degenerate_gradients_and_weights_stay_finite(g):
    for start in ([[0.0], [0.0]], [[1e30], [1e30]]):
        w = keras.Variable(start)
        AdamP(0.1).apply([ops.array(g)], [w])
        assert np.isfinite(ops.convert_to_numpy(w.value)).all()
