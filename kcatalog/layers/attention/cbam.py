from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import another, normalization_layer
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "CBAM: Convolutional Block Attention Module",
        "Woo, Park, Lee, Kweon",
        2018,
        "https://arxiv.org/abs/1807.06521",
        "equations 1 to 3",
    ),
    equation="y = x · c · s,  c = σ(MLP(mean x) + MLP(max x)) per channel,  s = σ(W ∗ [mean, max])",
    tags=("shape-preserving",),
    space={"ratio": Choice(2, 4, 8, 16), "kernel_size": Choice(3, 7)},
    example=Example({"ratio": 2, "kernel_size": 3, "use_bias": True}, shape=(5, 4, 6)),
)
class CBAM(ImageLayer):
    """Convolutional block attention: a gate per channel, then a gate per pixel.

    Like `SqueezeExcite`, but the channels' gates see the maximum too, and the pixels' gates say
    where to look. For the end of each block of a CNN, before the skip connection is added.

    Maths:
        `c = σ(W₂ δ(W₁ mean(x)) + W₂ δ(W₁ max(x)))` over height and width, with `W₁` mapping
        `channels` to `max(1, channels // ratio)`; `x' = x · c`;
        `s = σ(norm(W ∗ [mean(x'), max(x')]))` over the channels; `y = x' · s`, with `δ` =
        `activation`, `σ` = `gate_activation`.

    Args:
        ratio: How many times narrower the bottleneck is than the input, an integer in [1, inf).
        kernel_size: Height and width of `W`, an integer in [1, inf).
        activation: `δ`, a Keras activation by name, or a function.
        gate_activation: `σ`, a Keras activation by name, or a function; should map to [0, 1].
        normalization: "batch", "layer", "group", "instance", a Keras layer, of which a copy is
            used, or None. The paper's equation has none, its authors' code "batch".
        use_bias: Whether `W₁` and `W₂` are followed by a bias, and `W` if there is no
            normalization.
        kernel_initializer: Initializer of `W₁`, `W₂` and `W`.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        Deterministic. Training and inference are the same but for the normalization. `channels`
        must be known.

    Example:
        Zero weights make every gate σ(0) = 0.5:

        >>> layer = CBAM(kernel_initializer="zeros")
        >>> y = layer(keras.ops.full((1, 2, 2, 8), 3.0))
        >>> print(keras.ops.convert_to_numpy(y)[0, 0, 0, 0])
        0.75
    """

    def __init__(
        self,
        ratio: int = 16,
        kernel_size: int = 7,
        activation: KerasObject = "relu",
        gate_activation: KerasObject = "sigmoid",
        normalization: str | keras.layers.Layer | None = None,
        use_bias: bool = False,
        kernel_initializer: KerasObject = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.ratio = checks.integer(self, "ratio", ratio, "[1, inf)")
        self.kernel_size = checks.integer(self, "kernel_size", kernel_size, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.gate_activation = checks.activation(self, "gate_activation", gate_activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)

    def build_images(self, input_shape: Shape) -> None:
        channels, k = input_shape[-1], self.kernel_size
        squeezed = max(1, channels // self.ratio)
        self._w1, self._b1 = self._dense((channels, squeezed), "squeeze", self.use_bias)
        self._w2, self._b2 = self._dense((squeezed, channels), "excite", self.use_bias)
        bias = self.use_bias and self.normalization is None
        self._w, self._b = self._dense((k, k, 2, 1), "spatial", bias)
        self._norm = normalization_layer(
            self.normalization, 1, dtype=self.dtype_policy, name="normalization"
        )
        if self._norm is not None:
            self._norm.build((*input_shape[:-1], 1))

    def _dense(self, shape, name, use_bias):
        W = self.add_weight(shape, another(self.kernel_initializer), name=f"{name}_kernel")
        if not use_bias:
            return W, 0.0
        return W, self.add_weight(shape[-1:], "zeros", name=f"{name}_bias")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        pooled = [f(x, axis=(1, 2), keepdims=True) for f in (ops.mean, ops.max)]
        x = x * self.gate_activation(sum(map(self._mlp, pooled)))
        maps = [f(x, axis=-1, keepdims=True) for f in (ops.mean, ops.max)]
        maps, w = ops.concatenate(maps, axis=-1), ops.cast(self._w, x.dtype)
        if keras.backend.standardize_dtype(x.dtype) == "float64":
            # PyTorch has no such gradient for a kernel of one filter, so one map after the other
            s = ops.depthwise_conv(maps, w, 1, "same", data_format="channels_last")
            s = ops.sum(s, axis=-1, keepdims=True)
        else:
            s = ops.conv(maps, w, 1, "same", data_format="channels_last")
        s = s + self._b
        if self._norm is not None:
            s = self._norm(s, training=training)
        return x * self.gate_activation(s)

    def _mlp(self, z):
        hidden = self.activation(ops.matmul(z, self._w1) + self._b1)
        return ops.matmul(hidden, self._w2) + self._b2
