from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import another, from_zero, normalization_layer
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Non-local Neural Networks",
        "Wang, Girshick, Gupta, He",
        2018,
        "https://arxiv.org/abs/1711.07971",
        "equations 1 to 6",
    ),
    equation="y = x + norm(W_z Σ a[i, j] W_g x[j]),  a = softmax((W_θ x[i]) · (W_φ x[j]))",
    tags=("shape-preserving",),
    space={"mode": Choice("embedded_gaussian", "dot_product")},
    example=Example({"units": 3, "normalization": None}, shape=(3, 4, 5)),
)
class NonLocal(ImageLayer):
    """Non-local block: every pixel looks at every other, self-attention for feature maps.

    For the late, small stages of a CNN: time and memory grow with the square of the number of
    pixels, except with `mode="dot_product"`. `GlobalContext` costs far less and often does as well.
    Starts as the identity, so it can be put into a trained network.

    Maths:
        `h[i] = Σ a[i, j] g[j]` over the pixels `j`, with `g = W_g x + b_g`, `θ = W_θ x + b_θ`,
        `φ = W_φ x + b_φ`; `a[i, j] = softmax over j of θ[i] · φ[j]` for "embedded_gaussian",
        `θ[i] · φ[j] / N` for "dot_product", of `N` pixels, computed as `θ[i] (φᵀ g) / N`;
        `y = x + norm(W_z h + b_z)`.

    Args:
        units: Number of channels of `θ`, `φ` and `g`, an integer in [1, inf), or None for half of
            the input's.
        mode: "embedded_gaussian" or "dot_product".
        normalization: "batch", "layer", "group", "instance", a Keras layer, of which a copy is
            used, or None. Its scale starts at zero, or `W_z` does.
        kernel_initializer: Initializer of the kernels.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        As the normalization: batch normalization takes the batch's statistics in training and its
        moving ones at inference.

    Example:
        >>> x = keras.random.normal((2, 3, 4, 8))
        >>> bool(keras.ops.all(NonLocal()(x) == x))
        True
    """

    def __init__(
        self,
        units: int | None = None,
        mode: str = "embedded_gaussian",
        normalization: str | keras.layers.Layer | None = "batch",
        kernel_initializer: KerasObject = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)", optional=True)
        self.mode = checks.choice(self, "mode", mode, ("embedded_gaussian", "dot_product"))
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)

    def build_images(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        units = self.units or max(1, channels // 2)
        draw = self.kernel_initializer
        self._θ, self._φ, self._g = (
            self._dense((channels, units), another(draw), name) for name in ("theta", "phi", "g")
        )
        norm, last = from_zero(self.normalization, another(draw), channels)
        self._z = self._dense((units, channels), last, "z")
        self._norm = normalization_layer(
            norm, channels, dtype=self.dtype_policy, name="normalization"
        )
        if self._norm is not None:
            self._norm.build(input_shape)

    def _dense(self, shape, initializer, name):
        W = self.add_weight(shape, initializer, name=f"{name}_kernel")
        return W, self.add_weight(shape[-1:], "zeros", name=f"{name}_bias")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        batch, height, width, channels = ops.shape(x)
        pixels = ops.reshape(x, (batch, height * width, channels))
        θ, φ, g = (ops.matmul(pixels, W) + b for W, b in (self._θ, self._φ, self._g))
        if self.mode == "dot_product":
            N = ops.cast(height * width, x.dtype)
            h = ops.matmul(θ, ops.matmul(ops.transpose(φ, (0, 2, 1)), g) / N)
        else:
            scores = ops.matmul(θ, ops.transpose(φ, (0, 2, 1)))
            scores = ops.cast(scores, keras.backend.result_type(x.dtype, "float32"))
            a = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
            h = ops.matmul(ops.cast(a, x.dtype), g)
        W, b = self._z
        z = ops.reshape(ops.matmul(h, W) + b, ops.shape(x))
        if self._norm is not None:
            z = ops.cast(self._norm(z, training=training), x.dtype)
        return x + z
