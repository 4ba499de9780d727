import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def reference(x, γ, β, ε):
    """Equations 1 to 4 for one sample and channel at a time, channels last."""
    y = np.zeros(x.shape)
    for n in range(x.shape[0]):
        for c in range(x.shape[-1]):
            a = x[n, ..., c]
            y[n, ..., c] = γ[c] * a / np.sqrt(np.sum(a**2) / a.size + ε) + β[c]
    return y


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 4, 5, 2), (1, 2)), ((3, 7, 2), 1), ((2, 3, 4, 2, 3), [1, -3, -2])]
)
def test_reference_any_rank(rng, shape, axis):
    x = rng.normal(size=shape).astype("float32")
    γ, β = (rng.normal(size=shape[-1]).astype("float32") for _ in range(2))
    layer = layers.FilterResponseNormalization(1e-2, axis)
    layer.build(shape)
    layer.set_weights([γ, β])
    expected = reference(x, γ, β, 1e-2)
    np.testing.assert_allclose(backend.as_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def test_channels_first(rng):
    x = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    last = layers.FilterResponseNormalization(gamma_initializer="normal")
    first = layers.FilterResponseNormalization(axis=(2, 3))
    last.build(x.shape)
    first.build((2, 3, 4, 5))
    first.set_weights(last.get_weights())
    turned = backend.as_numpy(first(x.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(turned, backend.as_numpy(last(x)), rtol=1e-4, atol=1e-5)


def test_golden_tfa():
    peer = golden("tfa_filter_response_normalization")
    layer = layers.FilterResponseNormalization(1e-3, learned_epsilon=True)
    layer.build(peer["x"].shape)
    names = ("gamma", "beta", "epsilon")
    weights = [peer["gamma"], peer["beta"], peer["epsilon"].reshape(())]
    layer.set_weights(weights)

    def total(x, *weights):
        y, _ = layer.stateless_call(list(weights), [], x)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], 1e-4, 1e-5)
    _, gradients = backend.value_and_gradients(total, [peer["x"], *weights])
    for found, name in zip(gradients, ("x", *names), strict=True):
        expected = peer[f"{name}_gradient"].reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_golden_timm_with_its_activation():
    peer = golden("timm_filter_response_tlu")
    norm = layers.FilterResponseNormalization(1e-3)
    unit = layers.ThresholdedLinearUnit()
    names = ("gamma", "beta", "tau")
    for layer in (norm, unit):
        layer.build(peer["x"].shape)
    weights = [peer[n] for n in names]

    def function(x, γ, β, τ):
        y, _ = norm.stateless_call([γ, β], [], x)
        return unit.stateless_call([τ], [], y)[0]

    def total(*arrays):
        return ops.sum(ops.multiply(function(*arrays), peer["cotangent"].astype("float32")))

    arrays = [a.astype("float32") for a in (peer["x"], *weights)]
    y = backend.as_numpy(function(*map(ops.convert_to_tensor, arrays)))
    np.testing.assert_allclose(y, peer["output"], rtol=1e-4, atol=1e-5)
    _, gradients = backend.value_and_gradients(total, arrays)
    for found, name in zip(gradients, ("x", *names), strict=True):
        np.testing.assert_allclose(found, peer[f"{name}_gradient"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("axis", [1, (1, 3, 2), (0, 1), (1, 1), (1, 7)])
def test_axes_that_leave_no_channels_are_refused(axis):
    with pytest.raises(ValueError, match="FilterResponseNormalization: `input_shape` must be"):
        layers.FilterResponseNormalization(axis=axis).build((None, 4, 4, 3))
