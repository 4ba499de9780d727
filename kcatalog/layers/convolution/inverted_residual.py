from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.residual import Residual
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


@component(
    paper=Paper(
        "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        "Sandler, Howard, Zhu, Zhmoginov, Chen",
        2018,
        "https://arxiv.org/abs/1801.04381",
        "table 1 and figure 4d",
    ),
    tags=("random",),
    space={"expansion": Choice(3, 6), "squeeze_ratio": Choice(0.0, 0.25)},
    example=Example(
        {"filters": 3, "expansion": 2, "squeeze_ratio": 0.5, "drop_rate": 0.25}, shape=(5, 4, 3)
    ),
)
class InvertedResidual(Residual):
    """Inverted residual block (MBConv): widen, convolve each channel alone, narrow again.

    The block of MobileNetV2 and, with `squeeze_ratio=0.25` and `activation="silu"`, of
    EfficientNet. For models of few parameters and multiplications. On GPUs its depthwise
    convolution is bound by memory; there `FusedInvertedResidual` is often faster in early stages.

    Maths:
        `y = x + F(x)` where `F` keeps the shape, else `y = F(x)`, with
        `F(x) = norm(g(δ(norm(δ(norm(x ∗ W₁)) ∗ W₂))) ∗ W₃)`; `W₁` has one pixel and `expansion`
        times as many filters as `x` has channels, `W₂` is depthwise with `strides`, `W₃` has one
        pixel, and `g` is a squeeze-and-excitation if there is a `squeeze_ratio`.

    Args:
        expansion: How many times wider the block is inside, a number in [1, inf). With 1 there
            is no `W₁`.
        drop_rate: Probability that a sample's branch is dropped in training, a number in [0, 1).
            Nothing is dropped where there is no `x` to add.

    Example:
        >>> import keras
        >>> block = InvertedResidual(2, zero_init_residual=True)
        >>> y = block(keras.ops.convert_to_tensor([[[[3.0, -1.0]]]]))
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [ 3. -1.]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        expansion: float = 6,
        dilation_rate: int | tuple[int, int] = 1,
        activation: KerasObject = "relu6",
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
        self.expansion = checks.number(self, "expansion", expansion, "[1, inf)")

    def _branch_layers(self, channels):
        δ, wide = self.activation, round(channels * self.expansion)
        return [
            *([self._conv("expand", wide, activation=δ)] if self.expansion > 1 else []),
            self._spatial("depthwise", wide, self.strides, groups=wide, activation=δ),
            *self._squeeze_excite(wide, channels),
            self._conv("project", self.filters, last=True),
        ]

    def _projection_layer(self, channels):
        return None

    def _adds(self, channels):
        return self._keeps_shape(channels)

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        F = self._branch(x, training)
        return ops.add(x, F) if self._keeps_shape(x.shape[-1]) else F
