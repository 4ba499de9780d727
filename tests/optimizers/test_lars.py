import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import LARS
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

SETTINGS = {"learning_rate": 0.25, "momentum": 0.75, "trust_coefficient": 2**-7}


def reference(start, lr=0.25, momentum=0.75, trust=2**-7, decay=0.0, clip=False, exclude=True):
    """Algorithm 1 of You et al., one number at a time; `clip` is LARC."""
    weights = [list(w.ravel()) for w in start]
    v = [[0.0] * len(w) for w in weights]

    def step(gradients):
        for k, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            w_norm = sum(x**2 for x in w) ** 0.5
            total = sum(x**2 for x in g.ravel()) ** 0.5 + decay * w_norm
            plain, beta = exclude and g.ndim < 2, decay
            if plain:
                rate, beta = lr, 0.0
            elif w_norm == 0 or total == 0:
                rate = lr
            elif clip:
                rate = min(trust * w_norm / total, lr)
            else:
                rate = lr * trust * w_norm / total
            for i, g_i in enumerate(g.ravel()):
                v[k][i] = momentum * v[k][i] + rate * (g_i + beta * w[i])
                w[i] -= v[k][i]
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


@pytest.mark.parametrize(
    ("decay", "clip", "exclude"),
    [(0.0, False, False), (0.0625, False, True), (0.0625, True, False)],
)
def test_reference(decay, clip, exclude):
    settings = {**SETTINGS, "coupled_decay": decay, "clip": clip, "exclude_vectors": exclude}
    expected = paths(lambda start: reference(start, decay=decay, clip=clip, exclude=exclude))
    assert_same_paths(lambda: LARS(**settings), expected)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("optax_optimizer_lars", {"exclude_vectors": False}),
        ("pytorch_optimizer_lars", {"coupled_decay": 0.0625}),
    ],
)
def test_golden(name, settings):
    assert_same_paths(lambda: LARS(**SETTINGS, **settings), golden(name))


def test_scaling_weights_and_loss_together_scales_the_path():
    """The ratio makes steps free of the units of weights and loss."""
    start, g = np.array([[1.0, -2.0]], "float32"), np.array([[3.0, 0.5]], "float32")
    ends = []
    for unit in (1.0, 1e-20, 1e20):
        w = keras.Variable(start * unit)
        LARS(trust_coefficient=0.1).apply([ops.array(g * unit)], [w])
        ends.append(ops.convert_to_numpy(w.value) / unit)
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, rtol=1e-6)


def test_clipped_steps_are_no_longer_than_those_of_sgd():
    for size in (0.1, 1.0, 1e3):
        w = keras.Variable([[3.0, 4.0]])
        LARS(0.01, trust_coefficient=0.1, clip=True).apply([ops.array([[size, 0.0]])], [w])
        moved = 3.0 - float(ops.convert_to_numpy(w.value)[0, 0])
        np.testing.assert_allclose(moved, min(0.01 * size, 0.1 * 5), rtol=1e-3, atol=1e-6)


def test_zeros():
    """A weight that starts at zero can leave it, and nothing moves without a gradient."""
    optimizer, w = LARS(0.5, trust_coefficient=0.1), keras.Variable([[0.0, 0.0]])
    optimizer.apply([ops.array([[0.0, 0.0]])], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), [[0.0, 0.0]])
    optimizer.apply([ops.array([[1.0, 0.0]])], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [[-0.5, 0.0]])
