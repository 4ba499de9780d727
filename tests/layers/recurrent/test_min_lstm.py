import numpy as np
from keras import ops

from kcatalog import layers


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def test_reference(rng):
    layer = layers.MinLSTM(2, return_sequences=True)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer.build(x.shape)
    W, b = rng.normal(size=(3, 6)), rng.normal(size=6)
    layer.set_weights([W, b])
    expected = np.zeros((2, 5, 2))
    for n in range(2):
        h = [0.0, 0.0]
        for t in range(5):
            for k in range(2):
                f, i, candidate = (
                    sum(x[n, t, j] * W[j, 2 * gate + k] for j in range(3)) + b[2 * gate + k]
                    for gate in range(3)
                )
                f, i = sigmoid(f), sigmoid(i)
                h[k] = f / (f + i) * h[k] + i / (f + i) * candidate
            expected[n, t] = h
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def test_gates_of_nearly_0_still_share_1():
    """Both are below the least float32; what counts is by how much."""
    layer = layers.MinLSTM(1)
    layer.build((1, 1, 1))
    layer.set_weights([np.zeros((1, 3)), np.array([-200.0, -200.0 + np.log(3), 1.0])])
    h = ops.convert_to_numpy(layer(ops.zeros((1, 1, 1))))
    np.testing.assert_allclose(h, [[0.75]], rtol=1e-5)
