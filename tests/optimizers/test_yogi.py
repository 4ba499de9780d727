import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import Yogi
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

SETTINGS = {"learning_rate": 0.0625, "beta_1": 0.75, "beta_2": 1 - 2**-10, "epsilon": 1e-2}


def reference(start, lr=0.0625, beta_1=0.75, beta_2=1 - 2**-10, epsilon=1e-2):
    """Algorithm 2 of Zaheer et al., with corrected moments, one number at a time."""
    weights = [list(w.ravel()) for w in start]
    m = [[0.0] * len(w) for w in weights]
    v = [[1e-6] * len(w) for w in weights]
    t = 0

    def step(gradients):
        nonlocal t
        t += 1
        for k, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            for i, g_i in enumerate(g.ravel()):
                m[k][i] = beta_1 * m[k][i] + (1 - beta_1) * g_i
                v[k][i] -= (1 - beta_2) * np.sign(v[k][i] - g_i**2) * g_i**2
                m_hat, v_hat = m[k][i] / (1 - beta_1**t), v[k][i] / (1 - beta_2**t)
                w[i] -= lr * m_hat / (np.sqrt(v_hat) + epsilon)
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


def test_reference():
    assert_same_paths(lambda: Yogi(**SETTINGS), paths(reference))


@pytest.mark.parametrize(
    ("name", "epsilon"),
    [
        ("optax_optimizer_yogi", 1e-2),
        ("pytorch_optimizer_yogi", 1e-2),
        ("tfa_optimizer_yogi", 1e-14),
    ],
)
def test_golden(name, epsilon):
    settings = {**SETTINGS, "epsilon": epsilon, "initial_accumulator_value": 0.0}
    assert_same_paths(lambda: Yogi(**settings), golden(name))


def test_the_second_moment_falls_slowly_after_large_gradients():
    """Adam's falls by the share 1 - β₂ of itself, Yogi's by that of the small gradient's square."""
    optimizer, w = Yogi(0.1, beta_2=0.9, initial_accumulator_value=0.0), keras.Variable([0.0])
    for g in (10.0, 1.0, 1.0):
        optimizer.apply([ops.array([g])], [w])
    v = ops.convert_to_numpy(optimizer.variables[-1].value)
    np.testing.assert_allclose(v, [0.1 * 100 - 2 * 0.1], rtol=1e-6)
