import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from tests.golden.load import golden


def reference(x, units):
    """Section 3, one unit at a time, with the channels of a unit `units` apart."""
    y = np.zeros((*x.shape[:-1], units))
    for place in np.ndindex(y.shape):
        y[place] = max(x[place[:-1]][place[-1] :: units])
    return y


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_reference(rng, axis):
    x = rng.normal(size=(2, 6, 12)).astype("float32")
    y = backend.as_numpy(layers.Maxout(3, axis=axis)(x))
    expected = np.moveaxis(reference(np.moveaxis(x, axis, -1), 3), -1, axis)
    np.testing.assert_array_equal(y, expected.astype("float32"))


@pytest.mark.parametrize(("name", "axis"), [("last", -1), ("middle", 1)])
def test_golden(name, axis):
    peer = {k[len(name) + 1 :]: v for k, v in golden("tfa_maxout").items() if name in k}
    layer = layers.Maxout(2, axis=axis)
    np.testing.assert_array_equal(backend.as_numpy(layer(peer["x"])), peer["output"])
    _, (gradient,) = backend.value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x), peer["cotangent"])), [peer["x"]]
    )
    np.testing.assert_allclose(gradient, peer["x_gradient"], rtol=1e-5)


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="a multiple of num_units=4"):
        layers.Maxout(4).build((None, 6))
