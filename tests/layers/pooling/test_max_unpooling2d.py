import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.layers.pooling.test_max_pooling_with_indices2d import CASES, peer


def unpooled(layer, x, index):
    return ops.convert_to_numpy(layer(x, index))


def test_reference(rng):
    """Every value to its place, one at a time, in an image of odd size."""
    x = rng.normal(size=(2, 5, 7, 3)).astype("float32")
    y, index = layers.MaxPoolingWithIndices2D(2, padding="same")(x)
    y, index = ops.convert_to_numpy(y), ops.convert_to_numpy(index)
    wanted = np.zeros_like(x)
    for b, i, j, c in np.ndindex(y.shape):
        row, column = divmod(index[b, i, j, c] // 3, 7)
        wanted[b, row, column, c] = y[b, i, j, c]
    layer = layers.MaxUnpooling2D(2, padding="same", output_size=(5, 7))
    np.testing.assert_array_equal(unpooled(layer, y, index), wanted)


@pytest.mark.parametrize(("case", "n", "s", "padding"), CASES)
def test_golden(case, n, s, padding):
    of = peer(case)
    layer = layers.MaxUnpooling2D(n, s, padding)
    y = unpooled(layer, of["x0"], of["indices"])
    np.testing.assert_array_equal(y, of["output"])
    _, (gradient,) = value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x, of["indices"]), of["cotangent"])), [of["x0"]]
    )
    np.testing.assert_allclose(gradient, of["gradient0"], rtol=1e-6)


def test_shared_maxima_come_out_as_they_are(rng):
    """With windows that overlap a large pixel is the maximum of several."""
    x = rng.normal(size=(1, 5, 5, 1)).astype("float32")
    x[0, 2, 2] = 9.0
    y, index = layers.MaxPoolingWithIndices2D(3, 1)(x)
    again = unpooled(layers.MaxUnpooling2D(3, 1), y, index)
    assert again[0, 2, 2, 0] == 9.0
    np.testing.assert_array_equal(again[again != 0], x[again != 0])


def test_pooling_undoes_unpooling(rng):
    """In a model of unknown batch size and image size, with both outputs passed on."""
    inputs = keras.Input((None, None, 2))
    y, index = layers.MaxPoolingWithIndices2D()(inputs)
    again = layers.MaxUnpooling2D()(y, index)
    model = keras.Model(inputs, [y, keras.layers.MaxPooling2D()(again)])
    x = rng.uniform(1, 2, size=(3, 4, 6, 2)).astype("float32")
    np.testing.assert_array_equal(*model.predict(x, verbose=0))


def test_indices_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"MaxUnpooling2D: `input_shape` must be .* indices"):
        layers.MaxUnpooling2D()(np.ones((1, 2, 2, 1)), np.ones((1, 2, 3, 1), "int32"))
