"""The base of layers for images and signals: one place that knows both data formats."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import as_floats
from kcatalog.types import Shape, Tensor

AXES = {
    "channels_last": "(batch, height, width, channels)",
    "channels_first": "(batch, channels, height, width)",
}
_SIGNAL_AXES = {
    "channels_last": "(batch, steps, channels)",
    "channels_first": "(batch, channels, steps)",
}


class ImageLayer(keras.layers.Layer):
    """Base of layers whose input is a batch of images or feature maps.

    A part implements `call_images`, and `build_images` and `images_output_shape` where it needs
    them. All three see channels last; this base turns images and shapes where
    `data_format="channels_first"`, and results with them if they have as many axes. Layers for
    signals, `(batch, steps, channels)`, set `spatial = 1`.

    Args:
        data_format: "channels_last", "channels_first", or None for
            `keras.config.image_data_format()`.
    """

    spatial = 2

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        checks.choice(self, "data_format", data_format, (*AXES, None))
        # a saved model must not depend on the setting of who loads it
        self.data_format = data_format or keras.config.image_data_format()

    def build_images(self, input_shape: Shape) -> None:
        """Add the weights for images of this shape, whose channels are known."""

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        """Return the layer's output."""
        raise NotImplementedError

    def images_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output, by default that of the input."""
        return input_shape

    def build(self, input_shape: Shape) -> None:
        axes = (AXES if self.spatial == 2 else _SIGNAL_AXES)[self.data_format]
        checks.rank(self, input_shape, self.spatial + 2, axes)
        axis = 1 if self._first else -1
        channels = checks.known_axis(self, input_shape, axis, "channels")
        self.input_spec = keras.layers.InputSpec(ndim=self.spatial + 2, axes={axis: channels})
        self.build_images(self.channels_last(tuple(input_shape)))  # TensorFlow's are no tuples

    def known_sizes(self, input_shape: Shape) -> tuple[int, ...]:
        """Return height and width, or the steps, of a shape with channels last: known ones."""
        names = ("height", "width") if self.spatial == 2 else ("steps",)
        shape = self.own_format(input_shape)
        return tuple(
            checks.known_axis(self, shape, axis, name)
            for axis, name in enumerate(names, start=2 if self._first else 1)
        )

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        return self.call_turned(x, training=training)

    def call_turned(self, x: Tensor, **options: Any) -> Tensor:
        """Return `call_images(x, **options)` for an input in the layer's format."""
        x = as_floats(x, self.compute_dtype)
        if x.shape[0] == 0:  # on a CPU, TensorFlow's convolutions give none of the right size
            return ops.zeros(self.compute_output_shape(tuple(x.shape)), x.dtype)
        return self.own_format(self.call_images(self.channels_last(x), **options))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.own_format(self.images_output_shape(self.channels_last(tuple(input_shape))))

    def channels_last(self, x: Tensor) -> Tensor:
        """Return a map in the layer's format, or its shape, with channels last."""
        return self._turned(x, (0, *range(2, self.spatial + 2), 1))

    def own_format(self, y: Tensor) -> Tensor:
        """Return a map with channels last, or its shape, in the layer's format."""
        return self._turned(y, (0, self.spatial + 1, *range(1, self.spatial + 1)))

    @property
    def _first(self):
        return self.data_format == "channels_first"

    def _turned(self, x, order):
        is_shape = isinstance(x, tuple | list)
        shape = x if is_shape else x.shape
        if self._first and len(shape) == len(order):
            return tuple(x[i] for i in order) if is_shape else ops.transpose(x, order)
        return tuple(x) if is_shape else x
