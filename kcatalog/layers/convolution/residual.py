"""The base of residual blocks: a branch of convolutions, added to what came in."""

from typing import Any

from kcatalog import checks
from kcatalog.layers.convolution.conv_norm_activation import ConvNormActivation
from kcatalog.layers.convolution.squeeze_excite import SqueezeExcite
from kcatalog.layers.convolution.sublayers import (
    another,
    both,
    conv_size,
    from_zero,
    inside,
    strides_or_dilation,
)
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.layers.regularization.stochastic_depth import StochasticDepth
from kcatalog.types import KerasObject, Shape


class Residual(ImageLayer):
    """Base of `ResidualBlock`, `BottleneckBlock`, `InvertedResidual` and `FusedInvertedResidual`.

    Args:
        filters: Number of filters, an integer in [1, inf).
        kernel_size: Height and width of the spatial kernels, an integer in [1, inf), or two of
            them.
        strides: Steps down and right of the block, an integer in [1, inf), or two of them.
        dilation_rate: Distance of the pixels under the spatial kernels, an integer in [1, inf), or
            two of them. Not with `strides`.
        activation: `δ`, a Keras activation by name, a function, or None.
        normalization: `norm`: "batch", "layer", "group", "instance", a Keras layer, of which each
            convolution gets a copy, or None; as in `ConvNormActivation`.
        squeeze_ratio: Width of the bottleneck of a squeeze-and-excitation as a share of the
            channels that come in, a number in [0, 1], rounded to a whole fraction of what it gates;
            0 for none. EfficientNet has 0.25.
        drop_rate: Probability that a sample's branch is dropped in training, a number in [0, 1).
        zero_init_residual: True to start the branch at zero, by the scale of its last
            normalization or, without one, its last kernel. A deep network then starts as a
            shallow one.
        kernel_initializer: Initializer of the kernels.
        kernel_regularizer: Regularizer of the kernels, or None.
        seed: Seed of the drops, an integer in [0, inf), or None.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, ⌈height / strides⌉, ⌈width / strides⌉, filters)`.

    Behaviour:
        In training, `norm` and the drops act as `keras.layers.BatchNormalization` and
        `StochasticDepth` do. Kernels have the layout of `keras.layers.Conv2D`. Convolutions have
        a bias only without normalization.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        dilation_rate: int | tuple[int, int] = 1,
        activation: KerasObject = "relu",
        normalization: str | Any | None = "batch",
        squeeze_ratio: float = 0.0,
        drop_rate: float = 0.0,
        zero_init_residual: bool = False,
        kernel_initializer: KerasObject = "he_normal",
        kernel_regularizer: KerasObject | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.filters = checks.integer(self, "filters", filters, "[1, inf)")
        self.kernel_size = checks.pair(self, "kernel_size", kernel_size, "[1, inf)")
        self.strides = checks.pair(self, "strides", strides, "[1, inf)")
        self.dilation_rate = checks.pair(self, "dilation_rate", dilation_rate, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.squeeze_ratio = checks.number(self, "squeeze_ratio", squeeze_ratio, "[0, 1]")
        self.drop_rate = checks.number(self, "drop_rate", drop_rate, "[0, 1)")
        self.zero_init_residual = checks.boolean(self, "zero_init_residual", zero_init_residual)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        strides_or_dilation(self, strides, dilation_rate)

    def build_images(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self._layers_of_branch = self._branch_layers(channels)
        shape = input_shape
        for layer in self._layers_of_branch:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        rate = self.drop_rate if self._adds(channels) else 0
        self._drop = StochasticDepth(rate, self.seed, dtype=self.dtype_policy)
        self._projection = self._projection_layer(channels)
        if self._projection is not None:
            self._projection.build(input_shape)

    def _branch_layers(self, channels):
        """Return the layers of the branch, for an input of so many channels."""
        raise NotImplementedError

    def _projection_layer(self, channels):
        """Return the layer that gives the shortcut the branch's shape, or None."""
        if self._keeps_shape(channels):
            return None
        return self._conv("projection", self._width, strides=self.strides)

    def _adds(self, channels):
        """Return whether the block adds its branch to something."""
        return True

    def _keeps_shape(self, channels):
        return both(self.strides) == (1, 1) and channels == self._width

    @property
    def _width(self):
        return self.filters

    def _conv(self, name, filters, kernel_size=1, activation=None, last=False, **options):
        """Return a convolution of the block; `last` where the branch may start at zero."""
        normalization, initializer = self.normalization, another(self.kernel_initializer)
        if last and self.zero_init_residual:
            normalization, initializer = from_zero(normalization, initializer, filters)
        return ConvNormActivation(
            filters,
            kernel_size,
            activation=activation,
            normalization=normalization,
            kernel_initializer=initializer,
            kernel_regularizer=self.kernel_regularizer,
            **inside(self, name),
            **options,
        )

    def _spatial(self, name, filters, strides=1, **options):
        """Return one of the block's convolutions over neighbouring pixels."""
        options |= {"strides": strides, "dilation_rate": self.dilation_rate}
        return self._conv(name, filters, self.kernel_size, **options)

    def _squeeze_excite(self, channels, block_channels):
        """Return no layer, or one that gates so many channels, in a list."""
        if self.squeeze_ratio == 0:
            return []
        squeezed = max(1, int(block_channels * self.squeeze_ratio))
        ratio, activation = max(1, channels // squeezed), self.activation
        return [
            SqueezeExcite(
                ratio,
                activation,
                **inside(self, "squeeze_excite"),
            )
        ]

    def _branch(self, x, training):
        """Return what the branch makes of `x`, or zero for the samples it is dropped for."""
        for layer in self._layers_of_branch:
            x = layer(x, training=training)
        return self._drop(x, training=training)

    def _shortcut(self, x, training):
        """Return `x`, projected if the block changes its shape."""
        return x if self._projection is None else self._projection(x, training=training)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, _ = input_shape
        sizes = (conv_size(n, 1, s, "same") for n, s in zip(sizes, both(self.strides), strict=True))
        return (batch, *sizes, self._width)
