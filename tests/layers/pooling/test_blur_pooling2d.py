from math import comb

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden


def pooled(x, *args, **kwargs):
    return ops.convert_to_numpy(layers.BlurPooling2D(*args, **kwargs)(x))


def mirrored(i, size):
    """The pixel that a place outside the map reflects."""
    while not 0 <= i < size:
        i = -i if i < 0 else 2 * (size - 1) - i
        if size == 1:
            return 0
    return i


def reference(x, n, s):
    """Section 3.2 of Zhang, one number at a time, the map read through a mirror."""
    batch, height, width, channels = x.shape
    pad = (s - 1 + n - 1) // 2
    k = [comb(n - 1, u) / 2 ** (n - 1) for u in range(n)]
    rows, columns = ((size + 2 * pad - n) // s + 1 for size in (height, width))
    y = np.zeros((batch, rows, columns, channels))
    for i in range(rows):
        for j in range(columns):
            for u in range(n):
                for v in range(n):
                    r, c = mirrored(s * i + u - pad, height), mirrored(s * j + v - pad, width)
                    y[:, i, j] += k[u] * k[v] * x[:, r, c]
    return y


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (2, 9), (1, 1), (1, 4), (2, 2)])
@pytest.mark.parametrize(("n", "s"), [(2, 2), (3, 2), (5, 2), (3, 1), (4, 3), (7, 2)])
def test_reference(rng, size, n, s):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    y = pooled(x, n, s)
    np.testing.assert_allclose(y, reference(x, n, s), rtol=1e-5, atol=1e-6)
    assert y.shape == layers.BlurPooling2D(n, s).compute_output_shape(x.shape)


@pytest.mark.parametrize("side", ["even", "odd"])
@pytest.mark.parametrize(("n", "s"), [(3, 2), (5, 2), (3, 1)])
def test_golden(side, n, s):
    peer, case = golden("timm_blur_pool"), f"{side}_size{n}_stride{s}"
    layer = layers.BlurPooling2D(n, s)
    cotangent = peer[f"{case}_cotangent"]
    _, (gradient,) = value_and_gradients(
        lambda x: ops.sum(ops.multiply(layer(x), cotangent)), [peer[f"{side}_x"]]
    )
    y = ops.convert_to_numpy(layer(peer[f"{side}_x"]))
    np.testing.assert_allclose(y, peer[f"{case}_output"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, peer[f"{case}_gradient"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["reflect", "symmetric"])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_a_flat_map_stays_flat(padding, size):
    y = pooled(np.full((1, size, size, 2), 3.0, "float16"), 5, 2, padding, dtype="float16")
    np.testing.assert_array_equal(y, 3)


def test_zeros_darken_the_border():
    y = pooled(np.ones((1, 1, 1, 1), "float32"), 3, 2, "constant")
    np.testing.assert_array_equal(y, [[[[0.25]]]])


def test_the_finest_stripes_vanish_however_shifted():
    """Striding alone would see all black or all white, depending on the shift."""
    stripes = np.tile([0.0, 1.0], 8).astype("float32").reshape(1, 1, 16, 1).repeat(4, 1)
    for shift in (0, 1):
        y = pooled(np.roll(stripes, shift, axis=2))
        np.testing.assert_allclose(y[:, :, 1:-1], 0.5)


def test_unknown_size_in_a_model(rng):
    x = keras.Input((None, None, 2))
    model = keras.Model(x, layers.BlurPooling2D()(keras.layers.Conv2D(2, 1)(x)))
    model.compile("sgd", "mse")
    data = rng.normal(size=(2, 6, 7, 2)).astype("float32")
    assert model.predict(data, verbose=0).shape == (2, 3, 4, 2)
    model.fit(data, np.zeros((2, 3, 4, 2)), epochs=1, verbose=0)


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "constant"])
@pytest.mark.parametrize("size", [2, 5])
def test_unknown_sizes_and_empty_batches(rng, padding, size):
    """Three ways to the same border: all at once, edge by edge, and of a map too small."""
    x = rng.normal(size=(3, 6, size, 2)).astype("float32")
    layer = layers.BlurPooling2D(5, strides=1, padding=padding)
    y = ops.convert_to_numpy(layer(x))
    inputs = keras.Input((None, size, 2))
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-5, atol=1e-6)
    assert len(layer(x[:0])) == 0
