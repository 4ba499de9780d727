import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def peer(case):
    prefix = f"unpool_{case}/"
    return {k.removeprefix(prefix): a for k, a in golden("tfa_pooling").items() if prefix in k}


CASES = [("same", 2, None, "same"), ("valid", (3, 2), None, "valid"), ("apart", 2, 3, "valid")]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("n", "s", "padding"),
    [(2, None, "valid"), (3, 2, "same"), (3, 1, "same"), (2, 3, "same"), ((1, 3), (2, 1), "valid")],
)
def test_reference(rng, n, s, padding, data_format):
    """Maxima are those of Keras, and stand where the indices say, first ones first."""
    x = rng.integers(0, 5, size=(2, 5, 7, 3)).astype("float32")
    y, index = layers.MaxPoolingWithIndices2D(n, s, padding)(x)
    y, index = ops.convert_to_numpy(y), ops.convert_to_numpy(index)
    wanted = keras.layers.MaxPooling2D(n, s, padding, data_format="channels_last")(x)
    np.testing.assert_array_equal(y, ops.convert_to_numpy(wanted))
    for b in range(2):
        np.testing.assert_array_equal(x[b].ravel()[index[b].ravel()], y[b].ravel())
    np.testing.assert_array_equal(index % 3, np.broadcast_to(np.arange(3), index.shape))
    if data_format == "channels_first":
        layer = layers.MaxPoolingWithIndices2D(n, s, padding, data_format=data_format)
        _, turned = layer(np.moveaxis(x, -1, 1))
        np.testing.assert_array_equal(np.moveaxis(ops.convert_to_numpy(turned), 1, -1), index)


def test_the_first_of_equal_maxima_is_taken():
    _, index = layers.MaxPoolingWithIndices2D(3, 1)(np.ones((1, 4, 4, 1), "float32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(index).ravel(), [0, 1, 4, 5])


@pytest.mark.parametrize(("case", "n", "s", "padding"), CASES)
def test_golden(case, n, s, padding):
    of = peer(case)
    y, index = layers.MaxPoolingWithIndices2D(n, s, padding)(of["image"])
    np.testing.assert_array_equal(ops.convert_to_numpy(y), of["x0"])
    np.testing.assert_array_equal(ops.convert_to_numpy(index), of["indices"])


def test_the_gradient_goes_to_the_maximum(rng):
    x = rng.normal(size=(1, 4, 4, 1)).astype("float32")
    layer = layers.MaxPoolingWithIndices2D()
    _, (gradient,) = value_and_gradients(lambda x: ops.sum(layer(x)[0]), [x])
    index = ops.convert_to_numpy(layer(x)[1]).ravel()
    np.testing.assert_array_equal(np.nonzero(gradient.ravel())[0], np.sort(index))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_unknown_size(rng, padding):
    x = rng.normal(size=(2, 5, 4, 2)).astype("float32")
    layer = layers.MaxPoolingWithIndices2D(3, 2, padding)
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, layer(inputs))
    for y, wanted in zip(model.predict(x, verbose=0), layer(x), strict=True):
        np.testing.assert_array_equal(y, ops.convert_to_numpy(wanted))
