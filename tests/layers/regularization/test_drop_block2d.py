import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.layers.regularization.drop_block2d import _spread


def drawn(x, rate, block_size, seed=0):
    layer = layers.DropBlock2D(rate, block_size, seed=seed)
    return ops.convert_to_numpy(layer(x, training=True))


def dropped_by(seeds, a, b):
    """Algorithm 1, one seed at a time; a seed is the upper left corner of its block."""
    batch, rows, columns, channels = seeds.shape
    m = np.zeros((batch, rows + a - 1, columns + b - 1, channels))
    for n, i, j, c in zip(*np.nonzero(seeds), strict=True):
        m[n, i : i + a, j : j + b, c] = 1
    return m


@pytest.mark.parametrize(("a", "b"), [(3, 3), (1, 1), (2, 4)])
def test_reference_blocks(rng, a, b):
    seeds = (rng.uniform(size=(2, 6, 7, 3)) < 0.1).astype("float32")
    m = ops.convert_to_numpy(_spread(ops.convert_to_tensor(seeds), a, b))
    np.testing.assert_array_equal(m, dropped_by(seeds, a, b))


def test_reference_rate_at_every_pixel():
    """A pixel stays if none of the places whose block covers it is a seed: (1 - γ)^places."""
    size, block, rate, draws = 7, 3, 0.3, 3000
    γ = rate / block**2 * size**2 / (size - block + 1) ** 2
    kept = (drawn(np.ones((draws, size, size, 2), "float32"), rate, block) > 0).mean((0, 3))
    for i in range(size):
        for j in range(size):
            corners = [
                (k, m)
                for k in range(size - block + 1)
                for m in range(size - block + 1)
                if k <= i < k + block and m <= j < m + block
            ]
            expected = (1 - γ) ** len(corners)
            assert abs(kept[i, j] - expected) < 5 * np.sqrt(0.25 / (2 * draws))


def test_a_sample_keeps_its_sum():
    y = drawn(np.ones((5, 8, 8, 4), "float32"), 0.3, 3)
    np.testing.assert_allclose(y.sum((1, 2, 3)), 8 * 8 * 4, rtol=1e-5)


def test_channels_have_their_own_blocks():
    y = drawn(np.ones((1, 9, 9, 8), "float32"), 0.3, 3)
    assert (y != y[..., :1]).any()


@pytest.mark.parametrize("shape", [(4, 2, 3, 40), (4, 1, 1, 40), (1, 5, 1, 40)])
def test_block_larger_than_the_map_drops_whole_channels(shape):
    y = drawn(np.ones(shape, "float32"), 0.5, 7)
    np.testing.assert_array_equal(y.min((1, 2)), y.max((1, 2)))
    assert 0 < (y == 0).mean() < 1


def test_everything_dropped_is_zero_and_finite():
    y = drawn(np.ones((200, 1, 1, 1), "float16"), 0.9, 7)
    assert (y == 0).any()
    assert np.isfinite(y).all()


def test_sizes_have_to_be_known():
    with pytest.raises(ValueError, match=r"axis 1 \(height\)"):
        layers.DropBlock2D(0.1).build((None, None, 4, 3))


def test_trains_in_a_model(rng):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, padding="same"),
            layers.DropBlock2D(0.2, 3),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model.compile("sgd", "mse")
    x = rng.normal(size=(4, 6, 6, 2)).astype("float32")
    history = model.fit(x, np.zeros((4, 3)), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
