import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.layers import SpaceToDepth
from kcatalog.layers.image_layer import ImageLayer


class Brightness(ImageLayer):
    """The mean of each image's first channel."""

    def call_images(self, x, training):
        return ops.mean(x[..., 0], axis=(1, 2))

    def images_output_shape(self, input_shape):
        return input_shape[:1]


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def test_the_setting_of_keras_is_taken_and_saved(channels_first):
    layer = SpaceToDepth()
    keras.config.set_image_data_format("channels_last")
    assert layer.get_config()["data_format"] == "channels_first"
    assert SpaceToDepth().get_config()["data_format"] == "channels_last"


def test_results_without_pixels_are_not_turned(rng):
    x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    y = Brightness("channels_first")(x)
    np.testing.assert_allclose(ops.convert_to_numpy(y), x[:, 0].mean((1, 2)), rtol=1e-5)


def test_a_batch_of_none_has_the_declared_shape():
    assert Brightness()(np.zeros((0, 3, 4, 2), "float32")).shape == (0,)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((None, 3, 4), r"\(batch, channels, height, width\), 4 axes"),
        ((None, None, 3, 4), r"a shape whose axis 1 \(channels\) is known"),
    ],
)
def test_shapes_are_refused_in_the_order_of_the_format(shape, message):
    with pytest.raises(ValueError, match=f"Brightness: `input_shape` must be {message}"):
        Brightness("channels_first").build(shape)


def test_formats_are_refused_by_name():
    with pytest.raises(ValueError, match="Did you mean 'channels_last'"):
        Brightness("chanels_last")


def test_the_shape_of_a_tensor_is_taken_as_it_is():
    x = ops.ones((2, 4, 6, 3))
    layer = SpaceToDepth()
    layer.build(x.shape)
    assert layer.compute_output_shape(x.shape) == (2, 2, 3, 12)
