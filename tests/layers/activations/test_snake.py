import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def reference(x, a):
    """Equation 3, one value at a time, `a` per channel."""
    y = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        f = a[place[-1]]
        y[place] = x[place] + np.sin(f * x[place]) ** 2 / f
    return y


def test_reference(rng):
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    layer = layers.Snake(axis=-1)
    layer.build(x.shape)
    a = rng.normal(size=(3,)).astype("float32")
    layer.set_weights([a])
    np.testing.assert_allclose(backend.as_numpy(layer(x)), reference(x, a), rtol=1e-4, atol=1e-5)
    first = layers.Snake(axis=1)
    first.build((None, 3, 4, 5))
    first.set_weights([a])
    turned = np.moveaxis(backend.as_numpy(first(x.transpose(0, 2, 1)[..., None][:, :, :4])), 1, -1)
    np.testing.assert_allclose(turned[:, :, 0], reference(x[:, :4], a), rtol=1e-4, atol=1e-5)


def test_golden():
    peer = {k[6:]: v for k, v in golden("tfa_activations").items() if k[:5] == "snake"}
    layer = layers.Snake()
    layer.build(peer["x"].shape)
    layer.set_weights([peer["frequency"]])

    def total(x, a):
        return ops.sum(ops.multiply(layer.stateless_call([a], [], x)[0], peer["cotangent"]))

    np.testing.assert_allclose(backend.as_numpy(layer(peer["x"])), peer["output"], 1e-4, 1e-5)
    _, gradients = backend.value_and_gradients(total, [peer["x"], peer["frequency"]])
    for found, name in zip(gradients, ("x", "frequency"), strict=True):
        np.testing.assert_allclose(found, peer[f"{name}_gradient"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 3, -4])
def test_an_axis_that_is_not_there_is_refused(axis):
    with pytest.raises(ValueError, match="Snake: `input_shape` must be a shape with the axis"):
        layers.Snake(axis=axis).build((None, 4, 3))


def test_frequency_zero_is_the_identity():
    layer = layers.Snake("zeros")
    x = np.array([[1.0, -2.0]], "float32")
    np.testing.assert_allclose(backend.as_numpy(layer(x)), x)
