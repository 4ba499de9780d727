import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import LAMB
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

SETTINGS = {"learning_rate": 2**-7, "beta_1": 0.75, "beta_2": 1 - 2**-10, "epsilon": 1e-6}


def reference(start, decay, lr=2**-7, beta_1=0.75, beta_2=1 - 2**-10, epsilon=1e-6):
    """Algorithm 2 of You et al., one number at a time."""
    weights = [list(w.ravel()) for w in start]
    m, v = ([[0.0] * len(w) for w in weights] for _ in range(2))
    steps = iter(range(1, 1000))

    def step(gradients):
        t = next(steps)
        for k, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            u = []
            for i, g_i in enumerate(g.ravel()):
                m[k][i] = beta_1 * m[k][i] + (1 - beta_1) * g_i
                v[k][i] = beta_2 * v[k][i] + (1 - beta_2) * g_i**2
                root = (v[k][i] / (1 - beta_2**t)) ** 0.5
                u.append(m[k][i] / (1 - beta_1**t) / (root + epsilon) + decay * w[i])
            w_norm, u_norm = (sum(x**2 for x in y) ** 0.5 for y in (w, u))
            ratio = w_norm / u_norm if w_norm and u_norm else 1.0
            for i, u_i in enumerate(u):
                w[i] -= lr * ratio * u_i
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


@pytest.mark.parametrize("decay", [0.0, 2**-3])
def test_reference(decay):
    expected = paths(lambda start: reference(start, decay))
    assert_same_paths(lambda: LAMB(coupled_decay=decay, **SETTINGS), expected)


def test_golden():
    assert_same_paths(lambda: LAMB(coupled_decay=2**-5, **SETTINGS), golden("optax_optimizer_lamb"))


def moved(optimizer):
    """Return the steps on two named weights of norm 5, whose gradients are alike."""
    start = np.array([[3.0, 4.0]], "float32")
    weights = [keras.Variable(start, name=name) for name in ("kernel", "bias")]
    optimizer.apply([ops.array([[0.0, 2.0]])] * 2, weights)
    return [start - ops.convert_to_numpy(w.value) for w in weights]


def test_exclusions():
    """Without decay and ratio, a step of Adam; the ratio's exclusions follow those of the decay."""
    adam, decayed = [[0.0, 0.1]], np.array([[1.5, 3.0]])  # m̂ / √v̂ = [0, 1], plus w / 2
    scaled = 0.1 * 5 * decayed / np.linalg.norm(decayed)
    options = {"learning_rate": 0.1, "coupled_decay": 0.5, "exclude_from_decay": ["bias"]}
    kernel, bias = moved(LAMB(**options))
    np.testing.assert_allclose(kernel, scaled, rtol=1e-5)
    np.testing.assert_allclose(bias, adam, atol=1e-6)
    kernel, bias = moved(LAMB(**options, exclude_from_adaptation=["kernel"]))
    np.testing.assert_allclose(kernel, 0.1 * decayed, rtol=1e-5)
    np.testing.assert_allclose(bias, [[0.0, 0.5]], atol=1e-6)


def test_without_decay_it_is_that_of_keras():
    ours, theirs = moved(LAMB(0.1)), moved(keras.optimizers.Lamb(0.1, epsilon=1e-6))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_zeros():
    """A weight that starts at zero can leave it, and nothing moves without a gradient."""
    optimizer, w = LAMB(0.5), keras.Variable([[0.0, 0.0]])
    optimizer.apply([ops.array([[0.0, 0.0]])], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [[0.0, 0.0]])
    optimizer.apply([ops.array([[3.0, 0.0]])], [w])
    assert ops.convert_to_numpy(w.value)[0, 0] < -0.1
