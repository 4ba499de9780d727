from statistics import NormalDist

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import GradientNoise
from tests.golden.load import golden


def noise(optimizer, w):
    """The noise of one step of plain SGD at rate 1 on gradients of 0."""
    before = ops.convert_to_numpy(w.value)
    optimizer.apply([ops.zeros(w.shape, dtype=w.dtype)], [w])
    return before - ops.convert_to_numpy(w.value)


def weight(shape=(20_000,)):
    return keras.Variable(np.zeros(shape, "float32"))


def make(**settings):
    return GradientNoise(keras.optimizers.SGD(1.0), **settings)


def reference(size, seed, draw):
    """The hash and the quantile of each number, in Python's integers."""

    def scrambled(x):
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        x = (x ^ x >> 15) * 0x846CA68B % 2**32
        return x ^ x >> 16

    key = scrambled(scrambled(seed) ^ draw)
    bits = [scrambled(scrambled(i) ^ key) % 2**23 for i in range(size)]
    return [NormalDist().inv_cdf((b + 0.5) / 2**23) for b in bits]


def test_reference_draws():
    optimizer, a, b = make(eta=1.0, gamma=0.0, seed=5), weight((7,)), weight((2, 3))
    for t in range(2):
        before = [ops.convert_to_numpy(v.value) for v in (a, b)]
        optimizer.apply([ops.zeros((7,)), ops.zeros((2, 3))], [a, b])
        for i, (old, v) in enumerate(zip(before, (a, b), strict=True)):
            n = np.ravel(old - ops.convert_to_numpy(v.value))
            np.testing.assert_allclose(n, reference(n.size, 5, 2 * t + i), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("eta", "gamma"), [(0.5, 0.75), (2.0, 0.0)])
def test_reference_variance(eta, gamma):
    """Equation 1 of Neelakantan et al.: the deviation of each step's noise, and its shape."""
    optimizer, w = make(eta=eta, gamma=gamma, seed=3), weight()
    for t in range(4):
        n = noise(optimizer, w) / (eta / (1 + t) ** gamma) ** 0.5
        assert abs(np.mean(n)) < 4 / len(n) ** 0.5
        assert abs(np.mean(n**2) - 1) < 6 / len(n) ** 0.5
        assert abs(np.mean(np.abs(n) < 1) - 0.6827) < 0.015


def test_golden():
    peer = golden("optax_add_noise")
    optimizer, w = make(eta=float(peer["eta"]), gamma=float(peer["gamma"]), seed=0), weight()
    deviations = [np.std(noise(optimizer, w)) for _ in peer["deviations"]]
    np.testing.assert_allclose(deviations, peer["deviations"], rtol=0.025)


def test_steps_weights_and_seeds_draw_different_noise():
    optimizer, a, b = make(seed=1), weight((50,)), weight((50,))
    draws = []
    for _ in range(2):
        before = [ops.convert_to_numpy(v.value) for v in (a, b)]
        optimizer.apply([ops.zeros(50), ops.zeros(50)], [a, b])
        draws += [o - ops.convert_to_numpy(v.value) for o, v in zip(before, (a, b), strict=True)]
    draws.append(noise(make(seed=2), weight((50,))))
    draws.append(noise(make(), weight((50,))))
    close = np.corrcoef(draws) - np.eye(len(draws))
    assert np.max(np.abs(close)) < 0.6
    np.testing.assert_array_equal(noise(make(seed=1), weight((50,))).shape, (50,))


def test_a_resumed_run_draws_what_the_whole_run_would_have(tmp_path):
    def model():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(GradientNoise("adam", eta=1.0), "mse", run_eagerly=True)
        return model

    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    first = model()
    first.train_on_batch(x, y)
    first.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    for _ in range(2):
        first.train_on_batch(x, y)
        again.train_on_batch(x, y)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
