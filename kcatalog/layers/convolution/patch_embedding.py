from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.sublayers import (
    both,
    conv_size,
    kernel_and_bias,
    normalization_layer,
)
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        "Dosovitskiy, Beyer, Kolesnikov, Weissenborn, Zhai, Unterthiner et al.",
        2021,
        "https://arxiv.org/abs/2010.11929",
        "equation 1",
    ),
    space={"use_bias": Choice(False, True)},
    example=Example(
        {"patch_size": (2, 3), "embed_dim": 5, "normalization": "layer"}, shape=(4, 6, 3)
    ),
)
class PatchEmbedding(ImageLayer):
    """Cuts an image into patches and maps each to a vector, the first layer of a ViT.

    Gives the tokens of a transformer; add positions after it, since the tokens have none. With
    `strides` smaller than `patch_size` the patches overlap, as in SegFormer.

    Maths:
        `y[n] = norm(E x[n] + b)` for each patch `x[n]`, row by row, with all its pixels and
        channels as one vector.

    Args:
        patch_size: Height and width of a patch, an integer in [1, inf), or two of them.
        embed_dim: Length of a token, an integer in [1, inf).
        strides: Distance of the patches, an integer in [1, inf), or two of them, or None for
            `patch_size`.
        padding: "valid" for whole patches only, or "same" to add zeros around the image for one
            more patch.
        flatten: True for a sequence of tokens, False for a map of them.
        normalization: `norm`: "layer", a Keras layer, or None; as in `ConvNormActivation`.
        use_bias: True to add `b`.
        kernel_initializer: Initializer of `E`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `E`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `E`, or None.
        bias_constraint: Constraint on `b`, or None.

    Shapes:
        Input `(batch, height, width, channels)`; output `(batch, patches, embed_dim)`, or with
        `flatten=False` `(batch, rows, columns, embed_dim)`. With padding "valid" and patches that
        do not overlap, `patch_size` must divide height and width.

    Behaviour:
        Training and inference are the same, but for `norm`. Kernels have the layout of
        `keras.layers.Conv2D`.

    Example:
        With weights of one, a token is the sum of its patch:

        >>> import keras
        >>> layer = PatchEmbedding(2, 1, kernel_initializer="ones")
        >>> x = keras.ops.reshape(keras.ops.arange(8.0), (1, 2, 4, 1))
        >>> print(keras.ops.convert_to_numpy(layer(x)).ravel())
        [10. 18.]
    """

    def __init__(
        self,
        patch_size: int | tuple[int, int],
        embed_dim: int,
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        flatten: bool = True,
        normalization: str | keras.layers.Layer | None = None,
        use_bias: bool = True,
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
        self.patch_size = checks.pair(self, "patch_size", patch_size, "[1, inf)")
        self.embed_dim = checks.integer(self, "embed_dim", embed_dim, "[1, inf)")
        self.strides = checks.pair(self, "strides", strides, "[1, inf)", optional=True)
        self.padding = checks.choice(self, "padding", padding, ("valid", "same"))
        self.flatten = checks.boolean(self, "flatten", flatten)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)

    def build_images(self, input_shape: Shape) -> None:
        patch, step = both(self.patch_size), self._step()
        for size, p, s in zip(input_shape[1:3], patch, step, strict=True):
            if size is not None and self.padding == "valid" and p == s and size % p:
                rule = f"of a height and width divisible by patch_size={self.patch_size}"
                fix = 'Resize the images, or set padding="same".'
                raise checks.error(self, "input_shape", rule, tuple(input_shape), fix)
        kernel_shape = (*patch, input_shape[-1], self.embed_dim)
        self._E, self._b = kernel_and_bias(self, kernel_shape, self.use_bias)
        self._norm = normalization_layer(
            self.normalization,
            self.embed_dim,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="normalization",
        )
        if self._norm is not None:
            self._norm.build(self.images_output_shape(input_shape))

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        E = ops.cast(self._E, x.dtype)
        y = ops.conv(x, E, self._step(), self.padding, "channels_last")
        if self._b is not None:
            y = ops.add(y, self._b)
        if self.flatten:
            batch, rows, columns, _ = ops.shape(y)
            y = ops.reshape(y, (batch, rows * columns, self.embed_dim))
        return y if self._norm is None else self._norm(y, training=training)

    def _step(self):
        return both(self.patch_size if self.strides is None else self.strides)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, _ = input_shape
        axes = zip(sizes, both(self.patch_size), self._step(), strict=True)
        rows, columns = (conv_size(*axis, self.padding) for axis in axes)
        if not self.flatten:
            return (batch, rows, columns, self.embed_dim)
        return (batch, rows and columns and rows * columns, self.embed_dim)
