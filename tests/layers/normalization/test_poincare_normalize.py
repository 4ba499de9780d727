import numpy as np
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def reference(x, epsilon):
    """Section 3, proj, one point at a time along the last axis."""
    y = x.astype("float64")
    for place in np.ndindex(x.shape[:-1]):
        length = np.sqrt(sum(v * v for v in y[place]))
        if length > 1 - epsilon:
            y[place] *= (1 - epsilon) / length
    return y


def test_reference(rng):
    x = rng.normal(size=(4, 5, 3)).astype("float32") * np.linspace(0.1, 2, 5)[:, None]
    expected = reference(x.astype("float32"), 0.1)
    y = backend.as_numpy(layers.PoincareNormalize(axis=-1, epsilon=0.1)(x.astype("float32")))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    flat = layers.PoincareNormalize(axis=[1, 2], epsilon=0.1)(x.astype("float32"))
    lengths = np.linalg.norm(backend.as_numpy(flat).reshape(4, -1), axis=1)
    np.testing.assert_allclose(lengths, 0.9, rtol=1e-5)


def test_golden():
    peer = golden("tfa_poincare")
    layer = layers.PoincareNormalize(epsilon=1e-2)
    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], 1e-5, 1e-6)
    _, (gradient,) = backend.value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x), peer["cotangent"])), [peer["x"]]
    )
    np.testing.assert_allclose(gradient, peer["x_gradient"], rtol=1e-4, atol=1e-5)
