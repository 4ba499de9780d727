import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import as_numpy


def reference(x, w, similarity):
    """One sample, one class, one vector at a time; `w`: (classes, per_class, features)."""
    s = np.empty((len(x), *w.shape[:2]))
    for i, j, k in np.ndindex(*s.shape):
        a, b = x[i].astype("float64"), w[j, k].astype("float64")
        if similarity == "cosine":
            s[i, j, k] = sum(a * b) / np.sqrt(sum(a * a) * sum(b * b))
        else:
            s[i, j, k] = -sum((a - b) ** 2)
    return s


@pytest.mark.parametrize("similarity", ["cosine", "squared_euclidean"])
@pytest.mark.parametrize("per_class", [1, 3])
def test_reference(rng, similarity, per_class):
    x, w = rng.normal(size=(4, 6)), rng.normal(size=(5, per_class, 6))
    layer = layers.Prototypes(5, per_class, similarity)
    layer.build(x.shape)
    layer.set_weights([w if per_class > 1 else w[:, 0]])
    wanted = reference(x, w, similarity)
    wanted = wanted if per_class > 1 else wanted[..., 0]
    s = as_numpy(layer(ops.convert_to_tensor(x, "float32")))
    np.testing.assert_allclose(s, wanted, rtol=1e-4, atol=1e-5)


def test_the_nearest_vector_scores_highest(rng):
    x = rng.normal(size=(9, 6)).astype("float32")
    for similarity in ("cosine", "squared_euclidean"):
        layer = layers.Prototypes(9, similarity=similarity)
        layer.build(x.shape)
        layer.set_weights([x])
        np.testing.assert_array_equal(as_numpy(layer(x)).argmax(-1), np.arange(9))


@pytest.mark.parametrize("similarity", ["cosine", "squared_euclidean"])
@pytest.mark.parametrize("beside", [1e6, np.nan])
def test_what_stands_beside_a_sample_does_not_matter(rng, similarity, beside):
    x = rng.normal(size=(4, 6)).astype("float32")
    layer = layers.Prototypes(3, similarity=similarity)
    alone = as_numpy(layer(x[:3]))
    x[3] = beside
    np.testing.assert_allclose(as_numpy(layer(x))[:3], alone, rtol=1e-5, atol=1e-6)


def test_length_does_not_matter_to_cosines(rng):
    x, w = rng.normal(size=(4, 6)).astype("float32"), rng.normal(size=(3, 6))
    layer = layers.Prototypes(3)
    layer.build(x.shape)
    layer.set_weights([w])
    s = as_numpy(layer(x))
    layer.set_weights([1e-6 * w])
    np.testing.assert_allclose(as_numpy(layer(1e15 * x)), s, atol=1e-6)


def test_takes_what_keras_layers_take():
    layer = layers.Prototypes(
        3, regularizer=keras.regularizers.L2(0.5), constraint="unit_norm", initializer="ones"
    )
    layer.build((None, 4))
    assert layer.prototypes.constraint is layer.constraint
    np.testing.assert_allclose(as_numpy(layer.losses[0]), 0.5 * 12)


def test_float32_under_a_mixed_policy(rng):
    x = rng.normal(size=(4, 64))
    half = keras.layers.Dense(32, dtype="mixed_float16")
    s = layers.Prototypes(3, dtype="float32")(half(x))
    assert keras.backend.standardize_dtype(s.dtype) == "float32"


def test_shape_errors():
    with pytest.raises(ValueError, match=r"Prototypes: `input_shape` must be \(batch, features\)"):
        layers.Prototypes(3).build((None, 4, 5))
