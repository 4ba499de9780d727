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
        "EfficientNetV2: Smaller Models and Faster Training",
        "Tan, Le",
        2021,
        "https://arxiv.org/abs/2104.00298",
        "figure 2",
    ),
    tags=("random",),
    space={"expansion": Choice(1, 4), "squeeze_ratio": Choice(0.0, 0.25)},
    example=Example(
        {"filters": 3, "expansion": 2, "normalization": "layer", "drop_rate": 0.25}, shape=(5, 4, 3)
    ),
)
class FusedInvertedResidual(Residual):
    """Fused inverted residual block (Fused-MBConv): one dense convolution widens, one narrows.

    Takes the place of `InvertedResidual` in the first stages of EfficientNetV2, where maps are
    large and channels few: more multiplications, but faster on GPUs and TPUs. In late, wide
    stages it has far too many weights.

    Maths:
        `y = x + F(x)` where `F` keeps the shape, else `y = F(x)`, with
        `F(x) = norm(g(δ(norm(x ∗ W₁))) ∗ W₂)`; `W₁` has the spatial kernel, `strides` and
        `expansion` times as many filters as `x` has channels, `W₂` has one pixel, and `g` is a
        squeeze-and-excitation if there is a `squeeze_ratio`.

    Args:
        expansion: How many times wider the block is inside, a number in [1, inf). With 1,
            `F(x) = g(δ(norm(x ∗ W₁)))`, with `filters` filters.
        drop_rate: Probability that a sample's branch is dropped in training, a number in [0, 1).
            Nothing is dropped where there is no `x` to add.

    Example:
        >>> import keras
        >>> block = FusedInvertedResidual(2, zero_init_residual=True)
        >>> y = block(keras.ops.convert_to_tensor([[[[3.0, -1.0]]]]))
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [ 3. -1.]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        expansion: float = 4,
        dilation_rate: int | tuple[int, int] = 1,
        activation: KerasObject = "silu",
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
        if self.expansion == 1:
            fused = self._spatial("fused", self.filters, self.strides, activation=δ, last=True)
            return [fused, *self._squeeze_excite(self.filters, channels)]
        return [
            self._spatial("fused", wide, self.strides, activation=δ),
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
