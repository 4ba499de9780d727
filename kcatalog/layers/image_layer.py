"""The base of layers for images: one place that knows both data formats."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import as_floats

AXES = {
    "channels_last": "(batch, height, width, channels)",
    "channels_first": "(batch, channels, height, width)",
}
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


class ImageLayer(keras.layers.Layer):
    """Base of layers whose input is a batch of images or feature maps.

    A part implements `call_images`, and `build_images` and `images_output_shape` where it needs
    them. All three see channels last; this base turns images and shapes where
    `data_format="channels_first"`, and results with them if they have four axes.

    Args:
        data_format: "channels_last", "channels_first", or None for
            `keras.config.image_data_format()`.
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        checks.choice(self, "data_format", data_format, (*AXES, None))
        # a saved model must not depend on the setting of who loads it
        self.data_format = data_format or keras.config.image_data_format()

    def build_images(self, input_shape):
        """Add the weights for images of this shape, whose channels are known."""

    def call_images(self, x, training):
        """Return the layer's output."""
        raise NotImplementedError

    def images_output_shape(self, input_shape):
        """Return the shape of the output, by default that of the input."""
        return input_shape

    def build(self, input_shape):
        checks.rank(self, input_shape, 4, AXES[self.data_format])
        axis = 1 if self._first else -1
        channels = checks.known_axis(self, input_shape, axis, "channels")
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={axis: channels})
        self.build_images(self._turned(input_shape, _TO_LAST))

    def call(self, x, training=False):
        x = as_floats(x, self.compute_dtype)
        if x.shape[0] == 0:  # on a CPU, TensorFlow's convolutions give none of the right size
            return ops.zeros(self.compute_output_shape(x.shape), x.dtype)
        if not self._first:
            return self.call_images(x, training)
        y = self.call_images(ops.transpose(x, _TO_LAST), training)
        return ops.transpose(y, _TO_FIRST) if len(y.shape) == 4 else y

    def compute_output_shape(self, input_shape):
        shape = self.images_output_shape(self._turned(input_shape, _TO_LAST))
        return self._turned(shape, _TO_FIRST) if len(shape) == 4 else tuple(shape)

    @property
    def _first(self):
        return self.data_format == "channels_first"

    def _turned(self, shape, order):
        return tuple(shape[i] for i in order) if self._first else tuple(shape)
