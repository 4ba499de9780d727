import math

import numpy as np
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def test_reference(rng):
    x = 3 * rng.normal(size=(4, 3)).astype("float32")
    expected = [[v * math.tanh(v) for v in row] for row in x]
    np.testing.assert_allclose(backend.as_numpy(layers.LiSHT()(x)), expected, rtol=1e-5)


def test_golden():
    peer = {k[6:]: v for k, v in golden("tfa_activations").items() if k[:5] == "lisht"}
    layer = layers.LiSHT()
    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], rtol=1e-5)
    _, (gradient,) = backend.value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x), peer["cotangent"])), [peer["x"]]
    )
    np.testing.assert_allclose(gradient, peer["x_gradient"], rtol=1e-4, atol=1e-5)
