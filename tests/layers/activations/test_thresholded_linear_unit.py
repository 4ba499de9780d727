import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def reference(x, τ, α):
    """Equation 6 and its affine form, one value at a time, channels last."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        y[place] = max(x[place], α[place[-1]] * x[place] + τ[place[-1]])
    return y


@pytest.mark.parametrize("affine", [False, True])
def test_reference(rng, affine):
    x = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    τ, α = (rng.normal(size=3).astype("float32") for _ in range(2))
    layer = layers.ThresholdedLinearUnit(affine)
    first = layers.ThresholdedLinearUnit(affine, axis=1)
    layer.build(x.shape)
    first.build((2, 3, 4, 5))
    for part in (layer, first):
        part.set_weights([τ, α] if affine else [τ])
    expected = reference(x, τ, α if affine else 0 * α)
    np.testing.assert_allclose(backend.as_numpy(layer(x)), expected, rtol=1e-5, atol=1e-6)
    turned = backend.as_numpy(first(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(turned.transpose(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("tfa_tlu")
    layer = layers.ThresholdedLinearUnit(affine=True)
    layer.build(peer["x"].shape)
    names = ("tau", "alpha")
    layer.set_weights([peer[n] for n in names])

    def total(x, *weights):
        y, _ = layer.stateless_call(list(weights), [], x)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], 1e-4, 1e-5)
    _, gradients = backend.value_and_gradients(total, [peer[n] for n in ("x", *names)])
    for found, name in zip(gradients, ("x", *names), strict=True):
        np.testing.assert_allclose(found, peer[f"{name}_gradient"], rtol=1e-3, atol=1e-4)
