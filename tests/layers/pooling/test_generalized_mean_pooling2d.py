import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients


def pooled(x, **args):
    return ops.convert_to_numpy(layers.GeneralizedMeanPooling2D(**args)(x))


def reference(x, p):
    """Equation 3 of Radenović et al., one channel at a time, in double precision."""
    batch, height, width, channels = x.shape
    y = np.empty((batch, channels))
    for n in range(batch):
        for c in range(channels):
            powers = [float(v) ** p for v in x[n, :, :, c].ravel()]
            y[n, c] = (sum(powers) / (height * width)) ** (1 / p)
    return y


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0, 30.0])
def test_reference(rng, p):
    x = rng.uniform(0.01, 3, size=(3, 4, 5, 2)).astype("float32")
    np.testing.assert_allclose(pooled(x, p=p), reference(x, p), rtol=1e-5)


def test_large_p_is_the_maximum(rng):
    x = rng.uniform(1, 1e4, size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(pooled(x, p=1e5), x.max((1, 2)), rtol=1e-3)


def test_one_is_the_average(rng):
    x = rng.uniform(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(pooled(x, p=1), x.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("value", [-5.0, 0.0, 1e-30, 1e30])
@pytest.mark.parametrize("p", [1.0, 3.0, 1000.0])
def test_extremes_are_finite(value, p):
    layer = layers.GeneralizedMeanPooling2D(p=p)
    x = np.full((1, 3, 3, 2), value, "float32")
    x[..., 1] *= np.arange(9).reshape(3, 3) / 8
    y = layer(x)
    np.testing.assert_allclose(ops.convert_to_numpy(y)[:, 0], max(value, 1e-6), rtol=1e-4)

    def total(x, p):
        return ops.sum(ops.log(layer.stateless_call([p], [], x)[0]))

    _, gradients = value_and_gradients(total, [x, np.float32(p)])
    for g in gradients:
        assert np.isfinite(g).all()


def test_half_precision_is_pooled_in_float32():
    x = np.array([300.0, 200.0, 0.0, 1.0], "float16").reshape(1, 2, 2, 1)
    y = pooled(x, p=10.0, dtype="float16")
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, reference(x.astype("float64"), 10.0), rtol=1e-3)


def test_one_pixel_is_itself():
    assert pooled(np.full((1, 1, 1, 1), 2.0, "float32"), keepdims=True).shape == (1, 1, 1, 1)
    np.testing.assert_allclose(pooled(np.full((1, 1, 1, 1), 2.0, "float32")), [[2.0]], rtol=1e-6)


def test_unknown_size_of_the_map():
    x = keras.Input((None, None, 3))
    model = keras.Model(x, layers.GeneralizedMeanPooling2D()(x))
    y = model.predict(np.ones((2, 3, 5, 3), "float32"), verbose=0)
    np.testing.assert_allclose(y, np.ones((2, 3)), rtol=1e-5)


@pytest.mark.slow
def test_p_is_learned_and_stays_at_one_or_more():
    layer = layers.GeneralizedMeanPooling2D(p=3.0)
    model = keras.Sequential([keras.Input((4, 4, 1)), layer])
    model.compile(keras.optimizers.SGD(5.0), "mse")
    x = np.linspace(0, 1, 16, dtype="float32").reshape(1, 4, 4, 1)
    model.fit(x, np.zeros((1, 1)), epochs=20, verbose=0)
    assert float(ops.convert_to_numpy(layer.weights[0])) == 1.0


def test_a_fixed_p_is_no_trainable_weight():
    layer = layers.GeneralizedMeanPooling2D(p=3.0, learnable=False)
    layer.build((None, 2, 2, 1))
    assert layer.trainable_variables == []
