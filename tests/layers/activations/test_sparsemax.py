import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend
from kcatalog.ops import entmax15, sparsemax
from tests.golden.load import golden


def reference(z, power):
    """The threshold found by halving: what is above it, to a power, sums to 1."""
    p = np.zeros(z.shape)
    for row in np.ndindex(z.shape[:-1]):
        low, high = z[row].min() - 1, z[row].max()
        for _ in range(100):
            τ = (low + high) / 2
            over = sum(max(0.0, v - τ) ** power for v in z[row]) > 1
            low, high = (τ, high) if over else (low, τ)
        p[row] = np.maximum(0, z[row] - low) ** power
    return p


def jacobian(p, power):
    """dp/dz: with s = p^(2 - α) on the support, diag(s) - s sᵀ / Σ s (Peters et al. 2019)."""
    s = (p > 0) * p ** (1 - 1 / power)
    return np.diag(s) - np.outer(s, s) / s.sum()


@pytest.mark.parametrize(("function", "power"), [(sparsemax, 1), (entmax15, 2)])
def test_reference_values_and_gradients(rng, function, power):
    z = np.concatenate([rng.normal(size=(5, 7)), 30 * rng.normal(size=(3, 7)), np.zeros((1, 7))])
    z, cotangent = z.astype("float32"), rng.normal(size=z.shape).astype("float32")
    p = backend.as_numpy(function(z))
    expected = reference(z / power, power)
    np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-5)
    _, (gradient,) = backend.value_and_gradients(
        lambda z: ops.sum(ops.multiply(function(z), cotangent)), [z]
    )
    for one, row, g in zip(gradient[:8], expected, cotangent, strict=False):
        np.testing.assert_allclose(one, jacobian(row, power) @ g, rtol=1e-3, atol=1e-4)


def test_golden():
    peer = {k[10:]: v for k, v in golden("tfa_activations").items() if k[:9] == "sparsemax"}

    def total(x):
        return ops.sum(ops.multiply(sparsemax(x), peer["cotangent"]))

    np.testing.assert_allclose(backend.as_numpy(sparsemax(peer["x"])), peer["output"], atol=1e-5)
    _, (gradient,) = backend.value_and_gradients(total, [peer["x"]])
    np.testing.assert_allclose(gradient, peer["x_gradient"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("part", [layers.Sparsemax, layers.Entmax15])
def test_any_axis_and_a_mask_that_rules_out(rng, part, axis):
    z = rng.normal(size=(4, 5, 3)).astype("float32")
    mask = rng.random(size=z.shape) > 0.3
    mask[0] = False
    p = backend.as_numpy(part(axis=axis)(z, mask=mask))
    assert np.all(p[~mask] == 0)
    sums = p.sum(axis)
    np.testing.assert_allclose(sums, mask.any(axis), atol=1e-5)
    low = backend.as_numpy(part(axis=axis)(np.where(mask, z, -1e4).astype("float32")))
    np.testing.assert_allclose(p[1:][mask[1:]], low[1:][mask[1:]], rtol=1e-4, atol=1e-5)


def test_padded_steps_get_nothing_from_attention_over_steps(rng):
    """A mask of steps, as Keras passes it on, leads the axes of the scores."""
    z = rng.normal(size=(2, 5, 3)).astype("float32")
    mask = np.array([[True] * 3 + [False] * 2, [True] * 5])
    p = backend.as_numpy(layers.Sparsemax(axis=1)(z, mask=mask))
    assert np.all(p[0, 3:] == 0)
    np.testing.assert_allclose(p[0, :3], sparsemax(z[0, :3], axis=0), atol=1e-6)


def test_large_scores_and_many_of_them(rng):
    z = np.concatenate([1e4 * rng.normal(size=(2, 3000)), np.full((1, 3000), -np.inf)])
    z[2, 7] = 0.0
    for function in (sparsemax, entmax15):
        p = backend.as_numpy(function(z.astype("float32")))
        np.testing.assert_allclose(p.sum(1), 1.0, rtol=1e-5)


def test_keras_saves_the_layer_as_an_activation(tmp_path):
    """The function of the same name would be loaded as Keras's, which is wrong."""
    dense = keras.layers.Dense(3, layers.Sparsemax(), kernel_initializer="ones")
    model = keras.Sequential([keras.Input((2,)), dense])
    dense.bias.assign([0.5, 1.0, -3.0])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    p = backend.as_numpy(again(np.zeros((1, 2), "float32")))
    np.testing.assert_allclose(p, [[0.25, 0.75, 0.0]], atol=1e-6)
