import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import GradientCentralization
from tests.golden.load import golden


def reference(g):
    """Equation 1 of Yong et al., one unit at a time."""
    if g.ndim <= 1:
        return g
    out = g.copy()
    for unit in range(g.shape[-1]):
        incoming = g[..., unit].ravel()
        out[..., unit] = g[..., unit] - sum(incoming) / len(incoming)
    return out


def centralized(g):
    """The gradient as plain SGD at rate 1 uses it."""
    w = keras.Variable(np.zeros(g.shape, "float32"))
    optimizer = GradientCentralization(keras.optimizers.SGD(1.0))
    optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [w])
    return -ops.convert_to_numpy(w.value)


@pytest.mark.parametrize("shape", [(5, 7), (3, 2, 4, 6), (3, 4, 6), (7,), ()])
def test_reference(rng, shape):
    g = rng.normal(size=shape) + 1
    np.testing.assert_allclose(centralized(g), reference(g), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", ["conv", "conv1d", "dense", "bias", "scalar"])
def test_golden(weight):
    peer = golden("optax_centralize")  # there the first axis counts units, here the last
    result = centralized(peer[f"{weight}_gradient"].T).T
    np.testing.assert_allclose(result, peer[f"{weight}_centralized"], rtol=1e-4, atol=1e-6)


def test_mean_of_a_units_weights_is_kept(rng):
    w = keras.Variable(rng.normal(size=(5, 3)).astype("float32"))
    before = ops.convert_to_numpy(w.value).mean(0)
    optimizer = GradientCentralization(keras.optimizers.SGD(0.1, momentum=0.9))
    for _ in range(5):
        optimizer.apply([ops.convert_to_tensor(rng.normal(size=(5, 3)).astype("float32"))], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value).mean(0), before, atol=1e-6)
