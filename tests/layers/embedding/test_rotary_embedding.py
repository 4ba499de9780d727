import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden


def reference(x, positions, w, interleaved):
    """Equation 34 of Su et al. for `(batch, steps, features)`, one pair at a time."""
    y, d = np.empty_like(x), x.shape[-1]
    for n in range(len(x)):
        for t in range(x.shape[1]):
            for i in range(d // 2):
                one, two = (2 * i, 2 * i + 1) if interleaved else (i, i + d // 2)
                a = positions[n][t] * w ** (-2 * i / d)
                u, v = x[n, t, one], x[n, t, two]
                y[n, t, one] = u * np.cos(a) - v * np.sin(a)
                y[n, t, two] = u * np.sin(a) + v * np.cos(a)
    return y


@pytest.mark.parametrize("interleaved", [False, True])
def test_reference(rng, interleaved):
    x = rng.normal(size=(2, 5, 6)).astype("float32")
    layer = layers.RotaryEmbedding(max_wavelength=50.0, interleaved=interleaved, scaling_factor=2.0)
    wanted = reference(x, np.tile(1.5 + np.arange(5) / 2, (2, 1)), 50.0, interleaved)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x, start_index=3)), wanted, atol=1e-5)
    positions = np.array([[0, 1, 2, 3, 4], [8, 6, 4, 2, 0]])
    wanted = reference(x, positions / 2, 50.0, interleaved)
    y = layer(x, positions=ops.convert_to_tensor(positions))
    np.testing.assert_allclose(ops.convert_to_numpy(y), wanted, atol=1e-5)


@pytest.mark.parametrize("interleaved", [False, True])
def test_golden(interleaved):
    peer = golden("timm_positions")
    layer = layers.RotaryEmbedding(max_wavelength=100.0, interleaved=interleaved)
    y = ops.convert_to_numpy(layer(peer["x"].astype("float32")))
    wanted = peer["interleaved" if interleaved else "half"]
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_inner_products_depend_on_the_distance_only(rng):
    q, k = (np.tile(rng.normal(size=(1, 1, 8)), (1, 400, 1)).astype("float32") for _ in range(2))
    layer = layers.RotaryEmbedding()
    q, k = (ops.convert_to_numpy(layer(x))[0] for x in (q, k))
    scores = q @ k.T
    for distance in (-30, 0, 7):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-3, atol=1e-3)
    assert np.ptp(scores) > 0.1


def test_any_axes(rng):
    """Heads before or after the steps, features first: the same numbers."""
    x = rng.normal(size=(2, 3, 5, 4)).astype("float32")  # heads, steps, features
    y = ops.convert_to_numpy(layers.RotaryEmbedding(sequence_axis=2)(x))
    for head in range(3):
        wanted = ops.convert_to_numpy(layers.RotaryEmbedding()(x[:, head]))
        np.testing.assert_allclose(y[:, head], wanted, atol=1e-6)
    layer = layers.RotaryEmbedding(sequence_axis=-1, feature_axis=1)
    other = ops.convert_to_numpy(layer(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(other.transpose(0, 2, 3, 1), y, atol=1e-6)


def test_odd_features_and_equal_axes_are_refused():
    with pytest.raises(ValueError, match="even number of features"):
        layers.RotaryEmbedding().build((None, 5, 3))
    with pytest.raises(ValueError, match="`feature_axis` must be an axis of its own"):
        layers.RotaryEmbedding(sequence_axis=2).build((None, 5, 4))


def test_positions_survive_half_precision(rng):
    """Neighbouring positions beyond 2048 are one number in float16, but not here."""
    x = rng.normal(size=(1, 2, 4)).astype("float32")
    half, single = layers.RotaryEmbedding(dtype="mixed_float16"), layers.RotaryEmbedding()
    wanted = ops.convert_to_numpy(single(x, start_index=5001))
    y = ops.convert_to_numpy(half(x, start_index=5001))
    np.testing.assert_allclose(y, wanted, atol=5e-3)
