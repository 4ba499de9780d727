import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.optimizers import GradientCentralization, Prodigy
from tests.golden.load import golden
from tests.optimizers.paths import walk
from tests.optimizers.problems import PROBLEMS, paths

SETTINGS = {"beta_1": 0.75, "beta_2": 1 - 2**-10, "initial_distance": 2**-10}


def reference(start, beta_1=0.75, beta_2=1 - 2**-10, d=2**-10, epsilon=1e-8, decay=0.0):
    """Algorithm 4 of Mishchenko and Defazio, one number at a time, over all weights."""
    shapes = [a.shape for a in start]
    first = np.concatenate([a.ravel() for a in start])
    w, n = first.copy(), len(first)
    m, v, s, r, beta_3 = [0.0] * n, [0.0] * n, [0.0] * n, 0.0, beta_2**0.5

    def step(gradients):
        nonlocal d, r
        g, old = np.concatenate([a.ravel() for a in gradients]), w.copy()
        r *= beta_3
        for i in range(n):
            m[i] = beta_1 * m[i] + (1 - beta_1) * d * g[i]
            v[i] = beta_2 * v[i] + (1 - beta_2) * d**2 * g[i] ** 2
            r += (1 - beta_3) * d**2 * g[i] * (first[i] - old[i])
            s[i] = beta_3 * s[i] + (1 - beta_3) * d**2 * g[i]
            w[i] = old[i] - d * (m[i] / (v[i] ** 0.5 + d * epsilon) + decay * old[i])
        d = max(d, r / sum(map(abs, s)))
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        parts = np.split(w.copy(), ends)
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    return step


def _assert_same_beginnings(make, expected):
    """Compare the first 10 steps: `d` grows by feedback, and with it each rounding."""
    keras.config.set_floatx("float64")
    try:
        with backend.float64():
            for name, problem in PROBLEMS.items():
                path = walk(make(), problem, "float64")
                np.testing.assert_allclose(path[:5], expected[name][:5], 1e-9, 1e-9, err_msg=name)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize("decay", [0.0, 0.25])
def test_reference(decay):
    expected = paths(lambda start: reference(start, decay=decay))
    _assert_same_beginnings(lambda: Prodigy(**SETTINGS, decay=decay), expected)


@pytest.mark.parametrize(
    ("name", "bias_correction"), [("prodigyopt_prodigy", False), ("optax_optimizer_prodigy", True)]
)
def test_golden(name, bias_correction):
    settings = {**SETTINGS, "epsilon": 1e-14, "bias_correction": bias_correction}
    _assert_same_beginnings(lambda: Prodigy(**settings), golden(name))


def _steps(optimizer, far=3.0, steps=60):
    """Minimize the distance to a point that is `far` away."""
    w, b = keras.Variable([[1.0], [1.0]], name="w"), keras.Variable([1.0], name="b")
    for _ in range(steps):
        optimizer.apply([w.value - 1 - far, b.value - 1 - far], [w, b])
    return np.concatenate([ops.convert_to_numpy(v.value).ravel() for v in (w, b)])


@pytest.mark.parametrize("far", [0.03, 3.0, 300.0])
def test_the_estimate_approaches_the_distance_from_below(far):
    optimizer = Prodigy(initial_distance=1e-4)
    _steps(optimizer, far)
    assert 0.1 * far < optimizer.distance < 1.7 * far


def test_sees_what_a_wrapper_has_made_of_the_gradient():
    """With centralized gradients, which are 0 here, `d` is that of the bias alone."""
    inner = Prodigy(initial_distance=1e-4)
    end = _steps(GradientCentralization(inner))
    np.testing.assert_array_equal(end[:2], [1.0, 1.0])
    assert end[2] > 1.5
    assert inner.distance > 0.1


def test_a_weight_that_joins_late_begins_from_where_it_is():
    optimizer = Prodigy(initial_distance=1e-3)
    a, b = keras.Variable([0.0]), keras.Variable([100.0])
    optimizer.build([a, b])
    for _ in range(20):
        optimizer.apply([a.value - 1.0], [a])
    before = optimizer.distance
    optimizer.apply([a.value - 1.0, b.value - 101.0], [a, b])
    assert optimizer.distance < 2 * before + 1e-3


def test_zeros():
    optimizer, w = Prodigy(), keras.Variable([1.0])
    optimizer.apply([ops.zeros((1,))], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [1.0])
    assert optimizer.distance == pytest.approx(1e-6)
