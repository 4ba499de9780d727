import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def reference(x, factors):
    """diag(λ) x of Touvron et al., as a product of a matrix and each vector of channels."""
    y = np.empty_like(x)
    for place in np.ndindex(x.shape[:-1]):
        for i in range(len(factors)):
            row = [factors[i] if i == j else 0.0 for j in range(len(factors))]
            y[place][i] = sum(row[j] * x[place][j] for j in range(len(factors)))
    return y


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 3, 5, 4), (1, 2, 2, 2, 4)])
def test_reference_any_rank(rng, shape):
    x = rng.normal(size=shape).astype("float32")
    layer = layers.LayerScale()
    layer.build(x.shape)
    factors = rng.normal(size=4).astype("float32")
    layer.set_weights([factors])
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, reference(x, factors), rtol=1e-5, atol=1e-6)


def test_starts_small():
    layer = layers.LayerScale(init_values=1e-5)
    layer.build((None, 7, 3))
    np.testing.assert_allclose(layer.get_weights()[0], [1e-5] * 3, rtol=1e-6)


def test_unknown_channels_are_named():
    with pytest.raises(ValueError, match=r"axis -1 \(channels\)"):
        layers.LayerScale().build((None, 4, None))


def test_channels_learn_apart_in_a_residual_block(rng):
    x = keras.Input((4,))
    scale = layers.LayerScale(init_values=0.1)
    model = keras.Model(x, x + scale(keras.layers.Dense(4)(x)))
    model.compile("sgd", "mse")
    data = rng.normal(size=(8, 4)).astype("float32")
    model.fit(data, data**2, epochs=1, verbose=0)
    assert len(set(scale.get_weights()[0].tolist())) == 4
