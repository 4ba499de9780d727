from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.conv_norm_activation import ConvNormActivation
from kcatalog.layers.convolution.sublayers import (
    another,
    both,
    conv_size,
    inside,
    whole_groups,
)
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Selective Kernel Networks",
        "Li, Wang, Hu, Yang",
        2019,
        "https://arxiv.org/abs/1903.06586",
        "equations 1 to 6",
    ),
    space={"ratio": Choice(4, 8, 16), "dilated": Choice(False, True)},
    example=Example(
        {"filters": 2, "dilated": False, "min_units": 3, "normalization": None}, shape=(5, 4, 3)
    ),
)
class SelectiveKernel(ImageLayer):
    """Convolutions with several kernel sizes, mixed by an attention for each channel and image.

    Takes the place of the spatial convolution of a residual block, where objects come in many
    sizes. Costs as much as its convolutions together.

    Maths:
        `y = Σᵢ aᵢ Uᵢ` with `Uᵢ = δ(norm(x ∗ Wᵢ))`, one for each of `kernel_sizes`;
        `a = softmax over i of Aᵢ z`, for each channel, and `z = δ(norm(W s))`, with `s` the mean
        of `Σᵢ Uᵢ` over height and width and `W` mapping `filters` to
        `max(filters // ratio, min_units)`.

    Args:
        filters: Number of filters, an integer in [1, inf).
        kernel_sizes: List of at least two numbers in [1, inf), the sizes of the kernels.
        strides: Steps down and right, an integer in [1, inf), or two of them.
        dilated: True to take 3 x 3 kernels and spread them to the sizes, which then are odd and
            from 3 up, as the paper does: fewer weights. Not with `strides`.
        groups: Number of groups of channels convolved apart, an integer in [1, inf).
        ratio: How many times fewer units `z` has than there are filters, an integer in [1, inf).
        min_units: Least number of units of `z`, an integer in [1, inf).
        activation: `δ`, a Keras activation by name, a function, or None.
        normalization: "batch", "layer", "group", "instance", a Keras layer or None, as in
            `ConvNormActivation`. The last of `z`, which has no pixels, is "layer" in place of
            "group" and "instance".
        kernel_initializer: Initializer of `Wᵢ`, `W` and `A`.
        kernel_regularizer: Regularizer of `Wᵢ`, `W` and `A`, or None.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, ⌈height / strides⌉, ⌈width / strides⌉, filters)`.

    Behaviour:
        As the normalization: batch normalization takes the batch's statistics in training and
        its moving ones at inference.

    Example:
        With `A` = 0, either kernel counts one half:

        >>> import keras
        >>> layer = SelectiveKernel(1, dilated=False, normalization=None)
        >>> x = keras.ops.ones((1, 5, 5, 1))
        >>> layer.build(x.shape)
        >>> for w in layer.weights:
        ...     one = "conv" in w.path and w.name == "kernel"
        ...     _ = w.assign(keras.ops.full(w.shape, float(one)))
        >>> print(keras.ops.convert_to_numpy(layer(x))[0, 2, 2, 0])  # of 9 and 25
        17.0
    """

    def __init__(
        self,
        filters: int,
        kernel_sizes: Sequence[float] = (3, 5),
        strides: int | tuple[int, int] = 1,
        dilated: bool = True,
        groups: int = 1,
        ratio: int = 16,
        min_units: int = 32,
        activation: KerasObject = "relu",
        normalization: str | keras.layers.Layer | None = "batch",
        kernel_initializer: KerasObject = "he_normal",
        kernel_regularizer: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.filters = checks.integer(self, "filters", filters, "[1, inf)")
        self.kernel_sizes = checks.numbers_list(self, "kernel_sizes", kernel_sizes, "[1, inf)")
        self.strides = checks.pair(self, "strides", strides, "[1, inf)")
        self.dilated = checks.boolean(self, "dilated", dilated)
        self.groups = checks.integer(self, "groups", groups, "[1, inf)")
        self.ratio = checks.integer(self, "ratio", ratio, "[1, inf)")
        self.min_units = checks.integer(self, "min_units", min_units, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        whole_groups(self, groups, filters, "filters")
        whole = all(isinstance(k, int) for k in kernel_sizes)
        if not whole or len(kernel_sizes) < 2:
            raise checks.error(self, "kernel_sizes", "at least two whole numbers", kernel_sizes)
        if dilated and not all(k >= 3 and k % 2 for k in kernel_sizes):
            rule = "odd numbers from 3 up where dilated=True"
            raise checks.error(self, "kernel_sizes", rule, kernel_sizes)
        if dilated and max(both(strides)) > 1:
            raise checks.error(self, "dilated", f"False with strides of {strides}", dilated)

    def build_images(self, input_shape: Shape) -> None:
        whole_groups(self, self.groups, input_shape[-1], "channels")
        self._paths = [self._branch(k) for k in self.kernel_sizes]
        for path in self._paths:
            path.build(input_shape)
        units = max(self.filters // self.ratio, self.min_units)
        of_pixels = self.normalization in ("group", "instance")  # which leave nothing of one
        self._W = self._conv(
            "squeeze",
            units,
            1,
            normalization="layer" if of_pixels else self.normalization,
            use_bias=False,
        )
        self._W.build((input_shape[0], 1, 1, self.filters))
        self._A = self.add_weight(
            (units, len(self._paths) * self.filters),
            another(self.kernel_initializer),
            regularizer=self.kernel_regularizer,
            name="select_kernel",
        )

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        U = [path(x, training=training) for path in self._paths]
        s = ops.mean(sum(U), axis=(1, 2), keepdims=True)
        z = self._W(s, training=training)
        scores = ops.reshape(ops.matmul(z, self._A), (-1, 1, 1, len(U), self.filters))
        a = ops.softmax(scores, axis=-2)
        return sum(a[..., i, :] * U[i] for i in range(len(U)))

    def _branch(self, size):
        options = {"kernel_size": 3, "dilation_rate": size // 2} if self.dilated else {}
        options = {"kernel_size": size, "strides": self.strides, "groups": self.groups, **options}
        return self._conv(f"conv{size}", self.filters, normalization=self.normalization, **options)

    def _conv(self, name, filters, kernel_size, **options):
        return ConvNormActivation(
            filters,
            kernel_size,
            activation=self.activation,
            kernel_initializer=another(self.kernel_initializer),
            kernel_regularizer=self.kernel_regularizer,
            **inside(self, name),
            **options,
        )

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, _ = input_shape
        sizes = (conv_size(n, 1, s, "same") for n, s in zip(sizes, both(self.strides), strict=True))
        return (batch, *sizes, self.filters)
