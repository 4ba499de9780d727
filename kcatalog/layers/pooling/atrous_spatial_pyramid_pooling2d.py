from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.conv_norm_activation import ConvNormActivation
from kcatalog.layers.convolution.sublayers import another, inside
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Rethinking Atrous Convolution for Semantic Image Segmentation",
        "Chen, Papandreou, Schroff, Adam",
        2017,
        "https://arxiv.org/abs/1706.05587",
        "section 3.3",
    ),
    equation="y = δ(norm(W [x ∗ W₁, x ∗ W₃ at each rate, mean x])),  each δ(norm(·))",
    space={"filters": Choice(64, 128, 256)},
    example=Example({"filters": 3, "rates": [1, 2], "normalization": "layer"}, shape=(5, 4, 2)),
)
class AtrousSpatialPyramidPooling2D(ImageLayer):
    """Atrous spatial pyramid pooling (ASPP): dilated convolutions side by side, and the mean.

    Sees objects of several sizes at once, without losing resolution. The head of DeepLab: put it
    behind a backbone, then upsample. The rates are in pixels of the map; the default is for maps an
    eighth or a sixteenth of a picture of 512 pixels.

    Maths:
        `u = [c₁(x), c₃(x; r) for each rate r, c₁(mean x)]`, side by side as channels, the last the
        same at every pixel; `y = c₁(u)`, where `c_k(x; r) = δ(norm(x ∗ W))` is a convolution with a
        kernel of `k` by `k` pixels, `r` apart, of its own each time, and `δ` = `activation`.

    Args:
        filters: Number of filters of every convolution, an integer in [1, inf).
        rates: List of numbers in [1, inf), whole ones: the distances `r`.
        image_pooling: Whether `u` has the mean over the image.
        activation: `δ`, a Keras activation by name, a function, or None.
        normalization: "batch", "layer", "group", "instance", a Keras layer or None, as in
            `ConvNormActivation`. That of the mean, which has no pixels, is "layer" in place of
            "group" and "instance".
        kernel_initializer: Initializer of the kernels.
        kernel_regularizer: Regularizer of the kernels, or None.

    Shapes:
        Input `(batch, height, width, channels)`; output `(batch, height, width, filters)`.

    Behaviour:
        As the normalization: batch normalization takes the batch's statistics in training and its
        moving ones at inference. Batch normalization of the mean sees one number per image, so
        training wants batches of several images.

    Example:
        Three branches of 1, 9 and 1 pixels of ones, added up; the border sees less:

        >>> import keras
        >>> layer = AtrousSpatialPyramidPooling2D(
        ...     1, [1], normalization=None, kernel_initializer="ones"
        ... )
        >>> y = layer(keras.ops.ones((1, 3, 3, 1)))
        >>> print(keras.ops.convert_to_numpy(y)[0, 1, :, 0])
        [ 8. 11.  8.]
    """

    def __init__(
        self,
        filters: int,
        rates: Sequence[float] = (6, 12, 18),
        image_pooling: bool = True,
        activation: KerasObject = "relu",
        normalization: str | keras.layers.Layer | None = "batch",
        kernel_initializer: KerasObject = "he_normal",
        kernel_regularizer: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.filters = checks.integer(self, "filters", filters, "[1, inf)")
        self.rates = checks.numbers_list(self, "rates", rates, "[1, inf)")
        for rate in rates:
            checks.integer(self, "rates", rate, "[1, inf)")
        self.image_pooling = checks.boolean(self, "image_pooling", image_pooling)
        self.activation = checks.activation(self, "activation", activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)

    def build_images(self, input_shape: Shape) -> None:
        batch, *sizes, channels = input_shape
        self._branches = [self._conv("pixels", 1)]
        self._branches += [self._conv(f"rate_{i}", 3, rate) for i, rate in enumerate(self.rates)]
        for branch in self._branches:
            branch.build(input_shape)
        self._pooled = None
        if self.image_pooling:
            of_pixels = self.normalization in ("group", "instance")  # which leave nothing of one
            norm = "layer" if of_pixels else self.normalization
            self._pooled = self._conv("image", 1, normalization=norm)
            self._pooled.build((batch, 1, 1, channels))
        parts = len(self._branches) + self.image_pooling
        self._project = self._conv("project", 1)
        self._project.build((batch, *sizes, parts * self.filters))

    def _conv(self, name, kernel_size, rate=1, **options):
        return ConvNormActivation(
            self.filters,
            kernel_size,
            dilation_rate=rate,
            kernel_initializer=another(self.kernel_initializer),
            kernel_regularizer=self.kernel_regularizer,
            **{
                "activation": self.activation,
                "normalization": self.normalization,
                **inside(self, name),
                **options,
            },
        )

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        u = [branch(x, training=training) for branch in self._branches]
        if self._pooled is not None:
            mean = self._pooled(ops.mean(x, axis=(1, 2), keepdims=True), training=training)
            u.append(ops.broadcast_to(mean, ops.shape(u[0])))
        return self._project(ops.concatenate(u, axis=-1), training=training)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)
