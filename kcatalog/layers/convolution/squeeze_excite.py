from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Squeeze-and-Excitation Networks",
        "Hu, Shen, Albanie, Sun, Wu",
        2018,
        "https://arxiv.org/abs/1709.01507",
        "equations 2 to 4",
    ),
    equation="y = x · σ(W₂ δ(W₁ z + b₁) + b₂),  z = mean of x over space",
    tags=("shape-preserving",),
    space={"ratio": Choice(2, 4, 8, 16)},
    example=Example({"ratio": 2}, shape=(5, 4, 6)),
)
class SqueezeExcite(ImageLayer):
    """Squeeze-and-excitation: a learned gate per channel, computed from the global average.

    The map is squeezed to one number per channel, two small dense layers turn these into
    gates between 0 and 1, and each channel is scaled by its gate. Costs next to nothing and
    helps most in the later, wide stages of a CNN; in a very narrow network (a handful of
    channels) there is little to choose among.

    Maths:
        `z = mean(x)` over height and width;
        `s = σ(W₂ δ(W₁ z + b₁) + b₂)`; `y = x · s`,
        with `δ` = `activation`, `σ` = `gate_activation`, and `W₁` mapping `channels` to
        `max(1, channels // ratio)`.

    Args:
        ratio: How many times narrower the bottleneck is than the input, an integer in
            [1, inf).
        activation: `δ`, a Keras activation by name, or a function.
        gate_activation: `σ`, a Keras activation by name, or a function; should map to [0, 1].
        kernel_initializer: Initializer of `W₁` and `W₂`.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. `channels` must be known.

    Example:
        Zero weights make every gate σ(0) = 0.5:

        >>> import keras
        >>> layer = SqueezeExcite(kernel_initializer="zeros")
        >>> y = layer(keras.ops.full((1, 2, 2, 8), 3.0))
        >>> print(keras.ops.convert_to_numpy(y)[0, 0, 0, 0])
        1.5
    """

    def __init__(
        self,
        ratio: int = 16,
        activation: KerasObject = "relu",
        gate_activation: KerasObject = "sigmoid",
        kernel_initializer: KerasObject = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.ratio = checks.integer(self, "ratio", ratio, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.gate_activation = checks.activation(self, "gate_activation", gate_activation)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)

    def build_images(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        squeezed = max(1, channels // self.ratio)
        init = self.kernel_initializer
        self._w1 = self.add_weight((channels, squeezed), init, name="squeeze_kernel")
        self._b1 = self.add_weight((squeezed,), "zeros", name="squeeze_bias")
        self._w2 = self.add_weight((squeezed, channels), init, name="excite_kernel")
        self._b2 = self.add_weight((channels,), "zeros", name="excite_bias")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        z = ops.mean(x, axis=(1, 2), keepdims=True)
        s = self.activation(ops.matmul(z, self._w1) + self._b1)
        s = self.gate_activation(ops.matmul(s, self._w2) + self._b2)
        return x * s
