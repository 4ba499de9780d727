import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


@pytest.mark.parametrize("pooling", ["f", "fo", "ifo"])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_reference(rng, pooling, kernel_size):
    layer = layers.QRNN(2, kernel_size, pooling, return_sequences=True)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer.build(x.shape)
    W, b = (rng.normal(size=w.shape) for w in layer.get_weights())
    layer.set_weights([W, b])
    expected = np.zeros((2, 5, 2))
    for n in range(2):
        c = [0.0, 0.0]
        for t in range(5):
            for k in range(2):
                sums = []
                for gate in range(1 + len(pooling)):
                    total = b[2 * gate + k]
                    for lag in range(min(kernel_size, t + 1)):
                        for j in range(3):
                            total += x[n, t - lag, j] * W[3 * lag + j, 2 * gate + k]
                    sums.append(total)
                z, f = np.tanh(sums[0]), sigmoid(sums[1])
                i = sigmoid(sums[3]) if pooling == "ifo" else 1 - f
                c[k] = f * c[k] + i * z
                expected[n, t, k] = c[k] if pooling == "f" else sigmoid(sums[2]) * c[k]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def test_zoneout_keeps_some_units_and_the_mean(rng):
    """A unit in four stays at 0 in the first step; at inference all take three quarters."""
    layer = layers.QRNN(5, 1, "f", zoneout=0.25, seed=1)
    x = np.ones((4000, 1, 3), "float32")
    drawn, mean = (ops.convert_to_numpy(layer(x, training=t)) for t in (True, False))
    np.testing.assert_allclose((drawn == 0).mean(), 0.25, atol=0.02)
    np.testing.assert_allclose(drawn.mean(axis=0), mean[0], atol=0.03)
    moved = drawn[:, 0][drawn[:, 0] != 0]
    np.testing.assert_allclose(moved * 0.75, mean[0, 0], rtol=1e-5)
