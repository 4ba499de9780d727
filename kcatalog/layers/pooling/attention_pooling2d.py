from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.attention_pooling import attention_pooling
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Learning Transferable Visual Models From Natural Language Supervision",
        "Radford, Kim, Hallacy, Ramesh, Goh, Agarwal, Sastry, Askell, et al.",
        2021,
        "https://arxiv.org/abs/2103.00020",
        "section 2.4",
    ),
    equation="y = Wₒ · heads of softmax((W_q z₀) (W_k z)ᵀ / √d) (W_v z),  z = [mean x; x] + P",
    space={"num_heads": Choice(1, 2, 4)},
    example=Example({"num_heads": 2, "units": 3}, shape=(3, 2, 4)),
)
class AttentionPooling2D(ImageLayer):
    """Pooling of a feature map by attention, with the map's mean as the query (CLIP).

    Takes the place of global average pooling at the end of a CNN: each head decides by what the
    picture is as a whole which pixels count. It has a position for each pixel, so the size of the
    map is fixed.

    Maths:
        `z = [mean(x), x₁, ..., x_N] + P`, the mean and the `N` pixels with learned positions `P`;
        `a = softmax((W_q z₀ + b_q) (W_k z)ᵀ / √d)` for each of the `num_heads` heads, with
        `d = channels / num_heads`; `y = Wₒ [a (W_v z + b_v)] + bₒ`, the heads side by side.

    Args:
        num_heads: Number of heads, an integer in [1, inf) that divides the channels.
        units: Size of the output, an integer in [1, inf), or None for that of the channels.
        use_bias: Whether there are the biases `b_q`, `b_v` and `bₒ`. One of the keys would cancel
            in the softmax.
        kernel_initializer: Initializer of the kernels.
        position_initializer: Initializer of the positions, or None for normal numbers with
            variance `1 / channels`, as in CLIP.

    Shapes:
        Input `(batch, height, width, channels)`, height and width known; output `(batch, units)`.

    Behaviour:
        Training and inference are the same. Deterministic.

    Example:
        With kernels of zeros all pixels weigh the same, and the mean too:

        >>> layer = AttentionPooling2D(use_bias=False, position_initializer="zeros")
        >>> layer.build((None, 1, 2, 1))
        >>> for w in layer.weights:
        ...     _ = w.assign(float(w.name in ("kernel_value", "kernel_output")) + 0 * w)
        >>> y = layer(keras.ops.convert_to_tensor([[[[1.0], [3.0]]]]))
        >>> print(keras.ops.convert_to_numpy(y).round(3))
        [[2.]]
    """

    def __init__(
        self,
        num_heads: int = 1,
        units: int | None = None,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        position_initializer: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.num_heads = checks.integer(self, "num_heads", num_heads, "[1, inf)")
        self.units = checks.integer(self, "units", units, "[1, inf)", optional=True)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.position_initializer = checks.initializer(
            self, "position_initializer", position_initializer
        )

    def build_images(self, input_shape: Shape) -> None:
        height, width = self.known_sizes(input_shape)
        channels = input_shape[-1]
        if channels % self.num_heads:
            rule = f"a shape whose channels are a multiple of num_heads={self.num_heads}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        heads = (self.num_heads, channels // self.num_heads)
        start = self.position_initializer or keras.initializers.RandomNormal(stddev=channels**-0.5)
        self._P = self.add_weight((height * width + 1, channels), start, name="positions")
        self._W_q, self._b_q = self._dense((channels, *heads), "query", self.use_bias)
        self._W_k, _ = self._dense((channels, *heads), "key", False)
        self._W_v, self._b_v = self._dense((channels, *heads), "value", self.use_bias)
        self._W_o, self._b_o = self._dense(
            (*heads, self.units or channels), "output", self.use_bias
        )
        sizes = dict(zip((2, 3) if self._first else (1, 2), (height, width), strict=True))
        self.input_spec = keras.layers.InputSpec(
            ndim=4, axes={1 if self._first else -1: channels, **sizes}
        )

    def _dense(self, shape, name, use_bias):
        W = self.add_weight(shape, redrawn(self.kernel_initializer), name=f"kernel_{name}")
        each = shape[-1:] if name == "output" else shape[1:]
        return W, self.add_weight(each, "zeros", name=f"bias_{name}") if use_bias else None

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        x = ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))
        z = ops.concatenate([ops.mean(x, axis=1, keepdims=True), x], axis=1) + self._P
        q = ops.einsum("bsf,fnd->bsnd", z[:, :1], self._W_q)
        if self._b_q is not None:
            q = q + self._b_q
        heads = attention_pooling(z, q, self._W_k, self._W_v, self._b_v)
        y = ops.einsum("bqnd,ndu->bu", heads, self._W_o)
        return y if self._b_o is None else y + self._b_o

    def images_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.units or input_shape[-1])
