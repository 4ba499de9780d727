from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.residual import Residual
from kcatalog.layers.convolution.sublayers import whole_groups
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


@component(
    paper=Paper(
        "Deep Residual Learning for Image Recognition",
        "He, Zhang, Ren, Sun",
        2016,
        "https://arxiv.org/abs/1512.03385",
        "figure 5, right",
    ),
    tags=("random",),
    space={"squeeze_ratio": Choice(0.0, 0.0625)},
    example=Example(
        {"filters": 2, "expansion": 2, "normalization": None, "drop_rate": 0.25}, shape=(5, 4, 4)
    ),
)
class BottleneckBlock(Residual):
    """Bottleneck residual block: a spatial convolution between two of one pixel.

    The block of ResNet-50 and deeper ones; of ResNeXt with `groups` (32 groups, 128 `filters` and
    an `expansion` of 2 make its first stage), of a wide ResNet with an `expansion` of 2.

    Maths:
        `y = δ(P(x) + F(x))`, with `F(x) = norm(δ(norm(δ(norm(x ∗ W₁)) ∗ W₂)) ∗ W₃)`; `W₁` and
        `W₃` have one pixel, and `W₂` the `strides`. `P(x) = x` where `F` keeps the shape, else
        `norm(x ∗ W₀)` with a kernel of one pixel. `F` ends with a squeeze-and-excitation if
        there is a `squeeze_ratio`.

    Args:
        filters: Number of filters of `W₁` and `W₂`, an integer in [1, inf).
        expansion: How many times more filters `W₃` has, an integer in [1, inf).
        groups: Number of groups of channels that `W₂` convolves apart, an integer in [1, inf).
        squeeze_ratio: Width of the bottleneck of a squeeze-and-excitation as a share of the
            block's output channels, a number in [0, 1]; 0 for none. SE-ResNet has 1/16.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, ⌈height / strides⌉, ⌈width / strides⌉, filters · expansion)`.

    Example:
        >>> import keras
        >>> block = BottleneckBlock(1, expansion=2, zero_init_residual=True)
        >>> y = block(keras.ops.convert_to_tensor([[[[3.0, -1.0]]]]))
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [3. 0.]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        expansion: int = 4,
        groups: int = 1,
        dilation_rate: int | tuple[int, int] = 1,
        activation: KerasObject = "relu",
        normalization: str | keras.layers.Layer | None = "batch",
        squeeze_ratio: float = 0.0,
        drop_rate: float = 0.0,
        zero_init_residual: bool = False,
        kernel_initializer: KerasObject = "he_normal",
        kernel_regularizer: KerasObject | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            dilation_rate,
            activation,
            normalization,
            squeeze_ratio,
            drop_rate,
            zero_init_residual,
            kernel_initializer,
            kernel_regularizer,
            seed,
            data_format,
            **kwargs,
        )
        self.expansion = checks.integer(self, "expansion", expansion, "[1, inf)")
        self.groups = checks.integer(self, "groups", groups, "[1, inf)")
        whole_groups(self, groups, filters, "filters")

    @property
    def _width(self):
        return self.filters * self.expansion

    def _branch_layers(self, channels):
        δ, width = self.activation, self._width
        return [
            self._conv("conv1", self.filters, activation=δ),
            self._spatial("conv2", self.filters, self.strides, groups=self.groups, activation=δ),
            self._conv("conv3", width, last=True),
            *self._squeeze_excite(width, width),
        ]

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        F = self._branch(x, training)
        return self.activation(ops.add(self._shortcut(x, training), F))
