import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def reference(x, grids):
    """Means over each cell of each grid, one cell at a time."""
    height, width = x.shape[1:3]
    cells = []
    for h, w in grids:
        for i in range(h):
            for j in range(w):
                rows = slice(i * height // h, int(np.ceil((i + 1) * height / h)))
                columns = slice(j * width // w, int(np.ceil((j + 1) * width / w)))
                cells.append(x[:, rows, columns].mean((1, 2)))
    return np.stack(cells, axis=1)


@pytest.mark.parametrize("size", [(6, 4), (5, 7), (2, 1)])
def test_reference(rng, size):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    y = layers.SpatialPyramidPooling2D([1, (2, 3), [4, 1]])(x)
    wanted = reference(x, [(1, 1), (2, 3), (4, 1)])
    np.testing.assert_allclose(ops.convert_to_numpy(y), wanted, rtol=1e-5, atol=1e-6)


def test_golden():
    peer = {k.split("/")[1]: a for k, a in golden("tfa_pooling").items() if "pyramid/" in k}
    layer = layers.SpatialPyramidPooling2D([1, [2, 3], [4, 6]])
    y = ops.convert_to_numpy(layer(peer["x0"]))
    np.testing.assert_allclose(y, peer["output"], rtol=1e-5, atol=1e-6)
    _, (gradient,) = value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x), peer["cotangent"])), [peer["x0"]]
    )
    np.testing.assert_allclose(gradient, peer["gradient0"], rtol=1e-5, atol=1e-6)


def test_any_size_gives_one_size(rng):
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, layers.SpatialPyramidPooling2D([1, 2])(inputs))
    assert model.output_shape == (None, 5, 2)
    for size in ((3, 4), (6, 2)):
        x = rng.normal(size=(2, *size, 2)).astype("float32")
        wanted = reference(x, [(1, 1), (2, 2)])
        np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bins", [3, [], [0], [(1, 2, 3)], ["2"]])
def test_bins_are_refused(bins):
    with pytest.raises(ValueError, match="SpatialPyramidPooling2D: `bins` must be"):
        layers.SpatialPyramidPooling2D(bins)
