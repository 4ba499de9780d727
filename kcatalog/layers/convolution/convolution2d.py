"""The base of convolutions that differ from Keras's in what they do with the kernel."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.image_layer import AXES
from kcatalog.ops.precision import as_floats
from kcatalog.types import Shape, Tensor


class Convolution2D(keras.layers.Conv2D):
    """Base of `WeightStandardizedConv2D` and `CoordConv2D`, which override `convolution_op`.

    Args:
        filters: Number of filters, an integer in [1, inf).
        kernel_size: Height and width of the kernel, an integer in [1, inf), or two of them.
        strides: Steps down and right, an integer in [1, inf), or two of them.
        padding: "valid" or "same". `data_format`, `dilation_rate`, `groups`, `activation`,
            `use_bias`, and the initializers, regularizers and constraints of `kernel` and `bias`
            are passed on to `keras.layers.Conv2D` too.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, new_height, new_width, filters)`, as `keras.layers.Conv2D`.

    Behaviour:
        Training and inference are the same. Deterministic.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        **kwargs: Any,
    ):
        checks.integer(self, "filters", filters, "[1, inf)")
        checks.pair(self, "kernel_size", kernel_size, "[1, inf)")
        checks.pair(self, "strides", strides, "[1, inf)")
        checks.choice(self, "padding", padding, ("valid", "same"))
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        self.input_spec = None  # so that `build` is the one to refuse a shape

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 4, AXES[self.data_format])
        axis = -1 if self.data_format == "channels_last" else 1
        channels = checks.known_axis(self, input_shape, axis, "channels")
        super().build(self._kernels_view(input_shape, axis))
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={axis: channels})

    def _kernels_view(self, input_shape, axis):
        """Return the shape of what the kernel is to be built for."""
        return input_shape

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        if x.shape[0] == 0:  # TensorFlow on a CPU returns no images of the input's size
            return ops.zeros(self.compute_output_shape(x.shape), x.dtype)
        y = self.convolution_op(x, self.kernel)
        if self.use_bias:
            each = (self.filters, 1, 1) if self.data_format == "channels_first" else (self.filters,)
            # Keras 3.15's `ops.add`, which its own layers call, takes channels for columns of as
            # many on TensorFlow
            y = y + ops.cast(ops.reshape(self.bias, each), y.dtype)
        return y if self.activation is None else self.activation(y)
