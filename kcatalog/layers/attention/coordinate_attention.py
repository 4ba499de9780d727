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
        "Coordinate Attention for Efficient Mobile Network Design",
        "Hou, Zhou, Feng",
        2021,
        "https://arxiv.org/abs/2103.02907",
        "equations 4 to 9",
    ),
    equation="y[i, j] = x[i, j] · σ(W₂ f[i]) · σ(W₃ f[j]),  f = δ(norm(W₁ row or column mean))",
    tags=("shape-preserving",),
    space={"ratio": Choice(8, 16, 32)},
    example=Example({"ratio": 2, "min_units": 3, "normalization": "layer"}, shape=(5, 4, 6)),
)
class CoordinateAttention(ImageLayer):
    """A gate per channel and row times a gate per channel and column.

    `SqueezeExcite` averages over all pixels and forgets where they were; this averages over rows
    and columns apart, so the gates know the place. For mobile networks, and for detection and
    segmentation above all.

    Maths:
        `f = δ(norm(W₁ z))` for `z` the mean of each row, and of each column, `W₁` mapping
        `channels` to `max(min_units, channels // ratio)`; `g = σ(W₂ f)` of the rows,
        `h = σ(W₃ f)` of the columns; `y[i, j] = x[i, j] · g[i] · h[j]`, with `δ` = `activation`,
        `σ` = `gate_activation`.

    Args:
        ratio: How many times narrower the bottleneck is than the input, an integer in [1, inf).
        min_units: Least width of the bottleneck, an integer in [1, inf).
        activation: `δ`, a Keras activation by name, or a function.
        gate_activation: `σ`, a Keras activation by name, or a function; should map to [0, 1].
        normalization: "batch", "layer", "group", "instance", a Keras layer, of which a copy is
            used, or None. It sees rows and columns as `(batch, height + width, units)`.
        use_bias: Whether `W₂` and `W₃` are followed by a bias, and `W₁` if there is no
            normalization.
        kernel_initializer: Initializer of `W₁`, `W₂` and `W₃`.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        As the normalization: batch normalization takes the batch's statistics in training and
        its moving ones at inference. `channels` must be known.

    Example:
        Zero weights make both gates σ(0) = 0.5:

        >>> import keras
        >>> layer = CoordinateAttention(kernel_initializer="zeros")
        >>> y = layer(keras.ops.full((1, 2, 2, 8), 3.0))
        >>> print(keras.ops.convert_to_numpy(y)[0, 0, 0, 0])
        0.75
    """

    def __init__(
        self,
        ratio: int = 32,
        min_units: int = 8,
        activation: KerasObject = "hard_silu",
        gate_activation: KerasObject = "sigmoid",
        normalization: str | keras.layers.Layer | None = "batch",
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.ratio = checks.integer(self, "ratio", ratio, "[1, inf)")
        self.min_units = checks.integer(self, "min_units", min_units, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.gate_activation = checks.activation(self, "gate_activation", gate_activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)

    def build_images(self, input_shape: Shape) -> None:
        batch, height, width, channels = input_shape
        units = max(self.min_units, channels // self.ratio)
        bias = self.use_bias and self.normalization is None
        self._w1, self._b1 = self._dense((channels, units), "squeeze", bias)
        self._norm = normalization_layer(
            self.normalization, units, dtype=self.dtype_policy, name="normalization"
        )
        if self._norm is not None:
            both = None if None in (height, width) else height + width
            self._norm.build((batch, both, units))
        self._w2, self._b2 = self._dense((units, channels), "row", self.use_bias)
        self._w3, self._b3 = self._dense((units, channels), "column", self.use_bias)

    def _dense(self, shape, name, use_bias):
        W = self.add_weight(shape, another(self.kernel_initializer), name=f"{name}_kernel")
        if not use_bias:
            return W, 0.0
        return W, self.add_weight(shape[-1:], "zeros", name=f"{name}_bias")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        height = ops.shape(x)[1]
        z = ops.concatenate([ops.mean(x, axis=2), ops.mean(x, axis=1)], axis=1)
        f = ops.matmul(z, self._w1) + self._b1
        if self._norm is not None:
            f = self._norm(f, training=training)
        f = ops.cast(self.activation(f), x.dtype)
        g = self.gate_activation(ops.matmul(f[:, :height], self._w2) + self._b2)
        h = self.gate_activation(ops.matmul(f[:, height:], self._w3) + self._b3)
        return x * g[:, :, None] * h[:, None]
