import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import ConditionalGradient
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths


def reference(start, rate=2**-4, radius=4.0):
    """Algorithm 1 of Ravi et al. in the Frobenius ball, one number at a time."""
    weights = [list(w.ravel()) for w in start]

    def step(gradients):
        for w, g in zip(weights, gradients, strict=True):
            norm = sum(x**2 for x in g.ravel()) ** 0.5
            for i, g_i in enumerate(g.ravel()):
                w[i] = (1 - rate) * w[i] - rate * radius * g_i / norm
        return [np.reshape(w, a.shape) for w, a in zip(weights, start, strict=True)]

    return step


# Near the minimum a step turns with the direction of a small gradient, and with its rounding.
TOLERANCE = {"float32": 2e-3, "float64": 1e-9}


def _make():
    return ConditionalGradient(2**-4, radius=4.0)


def test_reference():
    expected = paths(reference)
    assert_same_paths(_make, expected, tolerance=TOLERANCE)


def test_golden():
    expected = golden("tfa_optimizer_conditional_gradient")
    assert_same_paths(_make, expected, tolerance=TOLERANCE)


@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 3), (5,)])
def test_reference_of_the_nuclear_norm(shape):
    """The point of the ball with the least inner product, by NumPy's decomposition."""
    rng = np.random.default_rng(0)
    start, g = rng.normal(size=shape), rng.normal(size=shape)
    u, _, vt = np.linalg.svd(g.reshape(-1, shape[-1]))
    s = -2.0 * np.outer(u[:, 0], vt[0]).reshape(shape)
    w = keras.Variable(start, dtype="float32")
    optimizer = ConditionalGradient(0.25, radius=2.0, norm="nuclear")
    optimizer.apply([ops.convert_to_tensor(g, "float32")], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), 0.75 * start + 0.25 * s, 1e-4, 1e-5)


@pytest.mark.parametrize("norm", ["frobenius", "nuclear"])
def test_weights_stay_in_the_ball(norm):
    """The matrix in the ball that is nearest to a far one lies on its surface."""
    target = np.diag([5.0, 3.0, 1.0]).astype("float32")
    w = keras.Variable(np.zeros((3, 3)), dtype="float32")
    rate = keras.optimizers.schedules.InverseTimeDecay(1.0, 2, 1.0)  # 2 / (t + 2)
    optimizer = ConditionalGradient(rate, radius=2.0, norm=norm)
    for _ in range(200):
        optimizer.apply([w.value - ops.convert_to_tensor(target)], [w])
    end = ops.convert_to_numpy(w.value)
    size = np.linalg.norm(end, "nuc" if norm == "nuclear" else None)
    assert size <= 2.0 + 1e-4
    expected = np.diag([2.0, 0.0, 0.0]) if norm == "nuclear" else 2 * target / 35**0.5
    np.testing.assert_allclose(end, expected, atol=0.05)


@pytest.mark.parametrize("unit", [0.0, 1e-30, 1e30])
def test_tiny_and_huge_gradients(unit):
    w = keras.Variable([[1.0, 0.0]])
    ConditionalGradient(0.5, radius=2.0).apply([ops.array([[0.0, unit]])], [w])
    expected = [[0.5, -1.0]] if unit else [[1.0, 0.0]]
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-6)
