from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import (
    both,
    conv_size,
    kernel_and_bias,
    normalization_layer,
    strides_or_dilation,
    whole_groups,
)
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate "
        "Shift",
        "Ioffe, Szegedy",
        2015,
        "https://arxiv.org/abs/1502.03167",
        "section 3.2",
    ),
    space={
        "activation": Choice("relu", "silu"),
        "normalization": Choice("batch", "group", "layer"),
    },
    example=Example({"filters": 4, "strides": 2, "activation": "silu"}, shape=(5, 6, 3)),
)
class ConvNormActivation(ImageLayer):
    """Convolution, normalization and activation in one layer, the unit of most CNNs.

    Saves writing three layers, and leaves out the bias that a normalization would cancel. With
    `groups` equal to the number of channels and of `filters` it is a depthwise convolution, and as
    fast.

    Maths:
        `y = δ(norm(x ∗ W))`, or `y = δ(x ∗ W + b)` without a normalization, with `δ` =
        `activation`.

    Args:
        filters: Number of filters, an integer in [1, inf).
        kernel_size: Height and width of `W`, an integer in [1, inf), or two of them.
        strides: Steps down and right, an integer in [1, inf), or two of them.
        padding: "same" or "valid".
        dilation_rate: Distance of the pixels under `W`, an integer in [1, inf), or two of them.
            Not with `strides`.
        groups: Number of groups of channels convolved apart, an integer in [1, inf). Divides both
            the channels and `filters`.
        activation: `δ`, a Keras activation by name, a function, or None.
        normalization: "batch", "layer", "group" (32 groups, or as many as the largest power of
            two that divides `filters`), "instance", a Keras layer, of which a copy is used, or
            None. A layer sees channels last, whatever `data_format`.
        use_bias: True to add `b`, or None for a bias only where there is no normalization.
        kernel_initializer: Initializer of `W`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `W`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `W`, or None.
        bias_constraint: Constraint on `b`, or None.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, new_height, new_width, filters)`. With padding "same", the new sizes are the old
        ones divided by the strides, rounded up.

    Behaviour:
        As the normalization: batch normalization takes the batch's statistics in training and
        its moving ones at inference. Kernels have the layout of `keras.layers.Conv2D`, in
        depthwise convolutions too.

    Example:
        Normalized over the batch, two pixels are 1 and -1, and ReLU keeps the first:

        >>> import keras
        >>> layer = ConvNormActivation(1, kernel_size=1, kernel_initializer="ones")
        >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([6.0, 2.0]), (1, 1, 2, 1))
        >>> print(keras.ops.convert_to_numpy(layer(x, training=True)).round(2).ravel())
        [1. 0.]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        padding: str = "same",
        dilation_rate: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: KerasObject = "relu",
        normalization: str | keras.layers.Layer | None = "batch",
        use_bias: bool | None = None,
        kernel_initializer: KerasObject = "he_normal",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.filters = checks.integer(self, "filters", filters, "[1, inf)")
        self.kernel_size = checks.pair(self, "kernel_size", kernel_size, "[1, inf)")
        self.strides = checks.pair(self, "strides", strides, "[1, inf)")
        self.padding = checks.choice(self, "padding", padding, ("same", "valid"))
        self.dilation_rate = checks.pair(self, "dilation_rate", dilation_rate, "[1, inf)")
        self.groups = checks.integer(self, "groups", groups, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.use_bias = checks.choice(self, "use_bias", use_bias, (True, False, None))
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)
        strides_or_dilation(self, strides, dilation_rate)
        whole_groups(self, groups, filters, "filters")

    def build_images(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        whole_groups(self, self.groups, channels, "channels")
        if any(n is not None and n < 1 for n in self.images_output_shape(input_shape)[1:3]):
            rule = "of a height and width that hold the kernel"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        kernel_shape = (*both(self.kernel_size), channels // self.groups, self.filters)
        use_bias = self.normalization is None if self.use_bias is None else self.use_bias
        self._W, self._b = kernel_and_bias(self, kernel_shape, use_bias)
        self._norm = normalization_layer(
            self.normalization,
            self.filters,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="normalization",
        )
        if self._norm is not None:
            self._norm.build(self.images_output_shape(input_shape))

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        y = self._convolved(x)
        if self._b is not None:
            y = ops.add(y, self._b)
        if self._norm is not None:
            y = self._norm(y, training=training)
        return self.activation(y)

    def _convolved(self, x):
        strides, dilation = both(self.strides), both(self.dilation_rate)
        options = (strides, self.padding, "channels_last", dilation)
        depthwise = self.groups == x.shape[-1] == self.filters
        if depthwise and strides[0] == strides[1]:  # the only ones that TensorFlow takes
            W = ops.cast(ops.transpose(self._W, (0, 1, 3, 2)), x.dtype)
            return ops.depthwise_conv(x, W, *options)
        return ops.conv(x, ops.cast(self._W, x.dtype), *options)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, _ = input_shape
        geometry = zip(
            sizes,
            *map(both, (self.kernel_size, self.strides)),
            (self.padding,) * 2,
            both(self.dilation_rate),
            strict=True,
        )
        return (batch, *(conv_size(*axis) for axis in geometry), self.filters)
