import numpy as np
from keras import ops

from kcatalog import layers


def test_reference(rng):
    layer = layers.TimestepEmbedding(3, frequency_dim=6, max_period=500.0)
    layer.build((None,))
    w1, b1, w2, b2 = weights = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    steps = np.array([0.0, 7.25, 999.0])
    y = ops.convert_to_numpy(layer(steps.astype("float32")))
    for t, row in zip(steps, y, strict=True):
        angles = [t * 500.0 ** (-i / 3) for i in range(3)]
        s = np.array([*np.cos(angles), *np.sin(angles)])
        z = s @ w1 + b1
        np.testing.assert_allclose(row, (z / (1 + np.exp(-z))) @ w2 + b2, rtol=1e-3, atol=1e-3)
    again = ops.convert_to_numpy(layer(steps[:, None].astype("float32")))
    np.testing.assert_allclose(again, y, rtol=1e-5, atol=1e-5)


def test_steps_survive_half_precision():
    """Step 2049 would be 2048 in float16."""
    layer = layers.TimestepEmbedding(8, frequency_dim=8, dtype="mixed_float16")
    y = ops.convert_to_numpy(layer(np.array([2048.0, 2049.0], "float32")))
    assert np.max(np.abs(y[0] - y[1])) > 0.05
