import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks",
        "Wang, Wu, Zhu, Li, Zuo, Hu",
        2020,
        "https://arxiv.org/abs/1910.03151",
        "equations 9 and 12",
    ),
    equation="y = x · σ(w ∗ z) along the channels,  z = mean of x over space",
    tags=("shape-preserving",),
    space={"kernel_size": Choice(None, 3, 5)},
    example=Example({"kernel_size": 3}, shape=(5, 4, 6)),
)
class EfficientChannelAttention(ImageLayer):
    """A gate per channel, computed from its average and those of a few neighbouring channels.

    Does what `SqueezeExcite` does with a handful of weights in place of two dense layers, and
    without a bottleneck. Channels have no natural order, so training has to find one in which
    neighbours belong together; put it behind a convolution that can.

    Maths:
        `z = mean(x)` over height and width; `s = σ(w ∗ z)`, a convolution over the channels with
        zeros beyond the first and the last; `y = x · s`, with `σ` = `gate_activation`. The size of
        `w` is `kernel_size`, or `k = |(log₂ channels + beta) / gamma|`, rounded to an odd number.

    Args:
        kernel_size: Size of `w`, an odd integer in [1, inf), or None for the paper's `k`.
        gamma: How slowly `k` grows with the channels, a number in (0, inf).
        beta: What is added to the logarithm, a number in [0, inf).
        gate_activation: `σ`, a Keras activation by name, or a function; should map to [0, 1].
        kernel_initializer: Initializer of `w`.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. `channels` must be known.

    Example:
        Zero weights make every gate σ(0) = 0.5:

        >>> import keras
        >>> layer = EfficientChannelAttention(kernel_initializer="zeros")
        >>> y = layer(keras.ops.full((1, 2, 2, 64), 3.0))
        >>> print(keras.ops.convert_to_numpy(y)[0, 0, 0, 0], tuple(layer.weights[0].shape))
        1.5 (3, 1, 1)
    """

    def __init__(
        self,
        kernel_size: int | None = None,
        gamma: float = 2,
        beta: float = 1,
        gate_activation: KerasObject = "sigmoid",
        kernel_initializer: KerasObject = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.kernel_size = checks.integer(
            self, "kernel_size", kernel_size, "[1, inf)", optional=True
        )
        if kernel_size is not None and kernel_size % 2 == 0:
            rule = "an odd integer in [1, inf) or None"
            raise checks.error(self, "kernel_size", rule, kernel_size)
        self.gamma = checks.number(self, "gamma", gamma, "(0, inf)")
        self.beta = checks.number(self, "beta", beta, "[0, inf)")
        self.gate_activation = checks.activation(self, "gate_activation", gate_activation)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)

    def build_images(self, input_shape: Shape) -> None:
        k = self.kernel_size
        if k is None:
            k = int((math.log2(input_shape[-1]) + self.beta) / self.gamma) // 2 * 2 + 1
        self._w = self.add_weight((k, 1, 1), self.kernel_initializer, name="kernel")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        z = ops.mean(x, axis=(1, 2))[..., None]
        w = ops.cast(self._w, z.dtype)
        s = self.gate_activation(ops.conv(z, w, 1, "same", data_format="channels_last"))
        return x * s[:, None, None, :, 0]
