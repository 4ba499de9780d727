from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import kernel_and_bias, normalization_layer
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
        "Liu, Lin, Cao, Hu, Wei, Zhang, Lin, Guo",
        2021,
        "https://arxiv.org/abs/2103.14030",
        "section 3.1",
    ),
    space={"use_bias": Choice(False, True)},
    example=Example({"embed_dim": 5, "use_bias": True}, shape=(3, 4, 2)),
)
class PatchMerging(ImageLayer):
    """Merges each 2 x 2 tokens of a map into one, between the stages of a Swin transformer.

    Halves height and width and, by default, doubles the channels. Takes maps, not sequences.

    Maths:
        `y[i, j] = W norm([x[2i, 2j], x[2i+1, 2j], x[2i, 2j+1], x[2i+1, 2j+1]]) + b`, the four
        tokens as one vector.

    Args:
        embed_dim: Length of a merged token, an integer in [1, inf), or None for twice the
            channels.
        normalization: `norm`: "layer", a Keras layer, or None; as in `ConvNormActivation`.
        use_bias: True to add `b`, which Swin does not.
        kernel_initializer: Initializer of `W`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `W`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `W`, or None.
        bias_constraint: Constraint on `b`, or None.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, ⌈height / 2⌉, ⌈width / 2⌉, embed_dim)`. A map of odd height or width gets a last
        row or column of zeros.

    Behaviour:
        Training and inference are the same, but for `norm`. Deterministic.

    Example:
        The order of the four tokens, each here a number:

        >>> import keras
        >>> layer = PatchMerging(4, normalization=None, kernel_initializer="identity")
        >>> x = keras.ops.reshape(keras.ops.arange(4.0), (1, 2, 2, 1))
        >>> print(keras.ops.convert_to_numpy(layer(x)).ravel())
        [0. 2. 1. 3.]
    """

    def __init__(
        self,
        embed_dim: int | None = None,
        normalization: str | keras.layers.Layer | None = "layer",
        use_bias: bool = False,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.embed_dim = checks.integer(self, "embed_dim", embed_dim, "[1, inf)", optional=True)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)

    def build_images(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self._norm = normalization_layer(
            self.normalization,
            4 * channels,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="normalization",
        )
        if self._norm is not None:
            self._norm.build((*self.images_output_shape(input_shape)[:3], 4 * channels))
        kernel_shape = (4 * channels, self.embed_dim or 2 * channels)
        self._W, self._b = kernel_and_bias(self, kernel_shape, self.use_bias)

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        x = _of_even_size(_of_even_size(x, 1), 2)
        four = [x[:, u::2, v::2] for v in (0, 1) for u in (0, 1)]
        y = ops.concatenate(four, axis=-1)
        if self._norm is not None:
            y = self._norm(y, training=training)
        y = ops.matmul(y, self._W)
        return y if self._b is None else ops.add(y, self._b)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        sizes = (n and -(-n // 2) for n in sizes)
        return (batch, *sizes, self.embed_dim or 2 * channels)


def _of_even_size(x, axis):
    """Return maps with one more row or column of zeros, if their number is odd."""
    size = x.shape[axis]
    if size is not None and size % 2 == 0:
        return x
    padding = [(0, 0)] * 4
    padding[axis] = (0, 1)
    x = ops.pad(x, padding)
    even = ops.shape(x)[axis] // 2 * 2
    return x[(slice(None),) * axis + (slice(even),)]
