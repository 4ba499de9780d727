from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import another
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond",
        "Cao, Xu, Lin, Wei, Hu",
        2019,
        "https://arxiv.org/abs/1904.11492",
        "equation 5",
    ),
    tags=("shape-preserving",),
    space={"ratio": Choice(4, 8, 16), "fusion": Choice("add", "multiply")},
    example=Example({"ratio": 2, "fusion": "multiply"}, shape=(5, 4, 6)),
)
class GlobalContext(ImageLayer):
    """Global context: an attention-weighted mean of all pixels, transformed and given to each.

    A `NonLocal` block whose attention is the same for every pixel, which is what it mostly learns
    anyway; the cost falls from quadratic to linear in the number of pixels. For backbones of
    detection and segmentation, in the stages whose convolutions do not see the whole picture.

    Maths:
        `c = Σ a[i] x[i]` over the pixels `i`, with `a = softmax(w x)` over all pixels;
        `t = W₂ δ(LN(W₁ c + b₁)) + b₂`, with `W₁` mapping `channels` to
        `max(1, channels // ratio)` and `δ` = `activation`; `y = x + t` for `fusion="add"`,
        `y = x · σ(t)` for `"multiply"`, with `σ` the sigmoid.

    Args:
        ratio: How many times narrower the bottleneck is than the input, an integer in [1, inf).
        fusion: "add" or "multiply".
        activation: `δ`, a Keras activation by name, or a function.
        epsilon: Added to the variance in the layer normalization LN, a number in (0, inf).
        kernel_initializer: Initializer of `w`, `W₁` and `W₂`. With "add" `W₂` starts at zero, as
            in the authors' code, so that the layer starts as the identity.

    Shapes:
        Input `(batch, height, width, channels)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. `channels` must be known.

    Example:
        A bottleneck of zeros makes every gate σ(0) = 0.5:

        >>> layer = GlobalContext(fusion="multiply", kernel_initializer="zeros")
        >>> y = layer(keras.ops.full((1, 2, 2, 8), 3.0))
        >>> print(keras.ops.convert_to_numpy(y)[0, 0, 0, 0])
        1.5
    """

    def __init__(
        self,
        ratio: int = 16,
        fusion: str = "add",
        activation: KerasObject = "relu",
        epsilon: float = 1e-5,
        kernel_initializer: KerasObject = "he_normal",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.ratio = checks.integer(self, "ratio", ratio, "[1, inf)")
        self.fusion = checks.choice(self, "fusion", fusion, ("add", "multiply"))
        self.activation = checks.activation(self, "activation", activation)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)

    def build_images(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        units = max(1, channels // self.ratio)
        first = another(self.kernel_initializer)
        last = "zeros" if self.fusion == "add" else another(self.kernel_initializer)
        self._w = self.add_weight((channels, 1), self.kernel_initializer, name="attention_kernel")
        self._w1 = self.add_weight((channels, units), first, name="squeeze_kernel")
        self._b1 = self.add_weight((units,), "zeros", name="squeeze_bias")
        self._norm = keras.layers.LayerNormalization(
            epsilon=self.epsilon, dtype=self.dtype_policy, name="normalization"
        )
        self._norm.build((input_shape[0], units))
        self._w2 = self.add_weight((units, channels), last, name="excite_kernel")
        self._b2 = self.add_weight((channels,), "zeros", name="excite_bias")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        batch, height, width, channels = ops.shape(x)
        pixels = ops.reshape(x, (batch, height * width, channels))
        scores = ops.matmul(pixels, self._w)
        scores = ops.cast(scores, keras.backend.result_type(x.dtype, "float32"))
        # ops.softmax would warn of a single pixel
        a = ops.exp(scores - ops.logsumexp(scores, axis=1, keepdims=True))
        c = ops.sum(ops.cast(a, x.dtype) * pixels, axis=1)
        t = self._norm(ops.matmul(c, self._w1) + self._b1)
        t = ops.cast(self.activation(t), x.dtype)
        t = ops.matmul(t, self._w2) + self._b2
        t = t[:, None, None]
        return x + t if self.fusion == "add" else x * ops.sigmoid(t)
