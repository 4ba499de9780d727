import numpy as np
from keras import ops

from kcatalog import layers


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def test_reference(rng):
    layer = layers.MinGRU(2, return_sequences=True)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer.build(x.shape)
    W, b = rng.normal(size=(3, 4)), rng.normal(size=4)
    layer.set_weights([W, b])
    expected = np.zeros((2, 5, 2))
    for n in range(2):
        h = [0.0, 0.0]
        for t in range(5):
            for k in range(2):
                z = sigmoid(sum(x[n, t, j] * W[j, k] for j in range(3)) + b[k])
                candidate = sum(x[n, t, j] * W[j, 2 + k] for j in range(3)) + b[2 + k]
                h[k] = (1 - z) * h[k] + z * candidate
            expected[n, t] = h
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)
