import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2},
        {"strides": 2, "padding": "valid"},
        {"dilation_rate": 2, "kernel_size": 2},
        {"groups": 2},
        {"groups": 4, "filters": 4},  # depthwise
        {"groups": 4, "filters": 4, "strides": 2},
        {"groups": 4, "filters": 8},
    ],
)
def test_reference(rng, options):
    x = rng.normal(size=(2, 6, 7, 4)).astype("float32")
    options = {"filters": 6, **options}
    layer = layers.ConvNormActivation(**options)
    y = ops.convert_to_numpy(layer(x, training=True))
    kernel = ops.convert_to_numpy(layer.weights[0])
    options = {k: v for k, v in options.items() if k not in ("filters", "kernel_size")}
    wanted = batch_norm(convolve(x, kernel, **{"padding": "same", **options}))
    np.testing.assert_allclose(y, np.maximum(wanted, 0), rtol=1e-3, atol=1e-4)
    assert layer.compute_output_shape(x.shape) == y.shape


def test_unequal_strides_of_a_depthwise_convolution(rng):
    """TensorFlow's depthwise convolution has none; a grouped one has."""
    x = rng.normal(size=(1, 4, 6, 3)).astype("float32")
    layer = layers.ConvNormActivation(3, 1, (1, 2), groups=3, normalization=None, activation=None)
    y = ops.convert_to_numpy(layer(x))
    kernel = ops.convert_to_numpy(layer.weights[0])
    np.testing.assert_allclose(y, x[:, :, ::2] * kernel[0, 0, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "of_one"),
    [("batch", (0, 1, 2)), ("layer", 3), ("instance", (1, 2)), ("group", (1, 2))],
)
def test_normalizations(rng, name, of_one):
    """Moments are 0 and 1 over the axes of each normalization (8 groups of 8 channels)."""
    x = rng.normal(3.0, 2.0, size=(4, 5, 5, 8)).astype("float32")
    layer = layers.ConvNormActivation(8, 1, activation=None, normalization=name)
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(y.mean(of_one), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(of_one), 1, atol=2e-2)


@pytest.mark.parametrize(
    ("normalization", "use_bias", "biased"),
    [("batch", None, False), (None, None, True), ("batch", True, True), (None, False, False)],
)
def test_bias_only_where_it_is_not_cancelled(normalization, use_bias, biased):
    layer = layers.ConvNormActivation(2, normalization=normalization, use_bias=use_bias)
    layer.build((None, 4, 4, 3))
    assert any(w.name == "bias" for w in layer.weights) == biased


def test_a_layer_as_normalization_is_copied():
    """Two blocks given one layer do not share it, and both are independent of what it became."""
    norm = keras.layers.BatchNormalization(momentum=0.5)
    norm.build((None, 7))
    first, second = (layers.ConvNormActivation(2, normalization=norm) for _ in range(2))
    for layer in (first, second):
        layer.build((None, 4, 4, 3))
        assert len(layer.weights) == 5
    assert not {id(w) for w in first.weights} & {id(w) for w in second.weights}


def test_moving_statistics_are_learned_saved_and_frozen(rng, tmp_path):
    x = rng.normal(5.0, 3.0, size=(8, 4, 4, 3)).astype("float32")
    norm = keras.layers.BatchNormalization(momentum=0.0)
    layer = layers.ConvNormActivation(2, 1, activation=None, normalization=norm)
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    trained = ops.convert_to_numpy(model(x, training=True))
    np.testing.assert_allclose(model.predict(x, verbose=0), trained, rtol=1e-3, atol=1e-3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), trained, rtol=1e-3, atol=1e-3)
    before = again.get_weights()
    again.trainable = False
    again(x + 9.0, training=True)
    for old, new in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_frozen_before_it_is_built(rng):
    layer = layers.ConvNormActivation(2, trainable=False)
    x = rng.normal(5.0, 3.0, size=(8, 4, 4, 3)).astype("float32")
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(y, ops.convert_to_numpy(layer(x)), rtol=1e-5)
    assert not layer.trainable_variables


@pytest.mark.parametrize(
    ("arguments", "channels", "message"),
    [
        ({"groups": 3}, 3, "`groups` must be a divisor of the 4 filters"),
        ({"groups": 2}, 3, "`groups` must be a divisor of the 3 channels"),
        ({"strides": 2, "dilation_rate": 2}, 3, "`dilation_rate` must be 1 with strides of 2"),
        ({"padding": "valid", "kernel_size": 5}, 3, "`input_shape` must be of a height and width"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, channels, message):
    with pytest.raises(ValueError, match=f"ConvNormActivation: {message}"):
        layers.ConvNormActivation(4, **arguments).build((None, 4, 6, channels))
