import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend


def reference(x, sizes, mask=None):
    """Algorithm 1: Keras's batch normalization for one ghost batch after the other."""
    inner = keras.layers.BatchNormalization(momentum=0.5)
    inner.build(x.shape)
    y, start = [], 0
    for size in sizes:
        part = slice(start, start + size)
        kwargs = {} if mask is None else {"mask": ops.convert_to_tensor(mask[part])}
        y.append(backend.as_numpy(inner(x[part], training=True, **kwargs)))
        start += size
    return np.concatenate(y), inner.moving_mean.numpy(), inner.moving_variance.numpy()


def compare(layer, x, expected, **kwargs):
    y, mean, variance = expected
    found = backend.as_numpy(layer(x, training=True, **kwargs))
    np.testing.assert_allclose(found, y, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "sizes"), [(8, (4, 4)), (3, (3,)), (5, (3, 2)), (13, (4, 3, 3, 3))]
)
def test_reference(rng, samples, sizes):
    x = (2 + 3 * rng.normal(size=(samples, 5, 3))).astype("float32")
    layer = layers.GhostBatchNormalization(4, momentum=0.5)
    compare(layer, x, reference(x, sizes))


def test_reference_with_a_mask(rng):
    x = rng.normal(size=(6, 5, 3)).astype("float32")
    mask = rng.random(size=(6, 5)) > 0.4
    mask[0] = False
    layer = layers.GhostBatchNormalization(3, momentum=0.5)
    layer.build(x.shape)
    expected = reference(x, (3, 3), mask)
    compare(layer, x, expected, mask=ops.convert_to_tensor(mask))


def test_channels_first_and_features(rng):
    x = rng.normal(size=(4, 3, 2, 5)).astype("float32")
    y, mean, variance = reference(x.transpose(0, 2, 3, 1), (2, 2))
    layer = layers.GhostBatchNormalization(2, axis=1, momentum=0.5)
    compare(layer, x, (y.transpose(0, 3, 1, 2), mean, variance))
    flat = x.reshape(4, -1)
    compare(layers.GhostBatchNormalization(2, momentum=0.5), flat, reference(flat, (2, 2)))


def test_a_ghost_batch_of_padding_does_not_count(rng):
    x = rng.normal(size=(6, 5, 3)).astype("float32")
    mask = np.ones((6, 5), bool)
    mask[2:4] = False
    layer = layers.GhostBatchNormalization(2, momentum=0.5)
    y = backend.as_numpy(layer(x, training=True, mask=ops.convert_to_tensor(mask)))
    expected = reference(x[[0, 1, 4, 5]], (2, 2))
    np.testing.assert_allclose(y[[0, 1, 4, 5]], expected[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean.numpy(), expected[1], rtol=1e-4, atol=1e-5)
    assert np.all(np.isfinite(y))


def test_frozen_it_takes_the_moving_statistics(rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    layer = layers.GhostBatchNormalization(2, epsilon=1e-6)
    layer.trainable = False
    np.testing.assert_allclose(backend.as_numpy(layer(x, training=True)), x, rtol=1e-4)


@pytest.mark.parametrize("name", ["renorm", "synchronized"])
def test_other_statistics_are_refused(name):
    with pytest.raises(ValueError):
        layers.GhostBatchNormalization(2, **{name: True})
