from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.layers.convolution.conv_norm_activation import ConvNormActivation
from kcatalog.layers.convolution.sublayers import another, inside
from kcatalog.layers.image_layer import AXES
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Feature Pyramid Networks for Object Detection",
        "Lin, Dollár, Girshick, He, Hariharan, Belongie",
        2017,
        "https://arxiv.org/abs/1612.03144",
        "section 3 and figure 3",
    ),
    space={"filters": Int(32, 256, log=True)},
    example=Example({"filters": 2}, shape=((3, 4, 2), (2, 2, 3))),
)
class FeaturePyramid(keras.layers.Layer):
    """Feature pyramid network (FPN): maps of several sizes, the fine ones told of the coarse.

    The neck between a backbone and the heads of a detector or segmenter: every size of map comes
    to know what only the last stage of the backbone recognizes.

    Maths:
        `P[l] = M[l] ∗ W[l] + b[l]` with a kernel of 3 x 3, and
        `M[l] = C[l] ∗ V[l] + c[l] + grow(M[l + 1])` with a kernel of one pixel, where `C[l]` are
        the maps that come in and `grow` repeats pixels up to the size of `C[l]`. The coarsest
        `M` has nothing to grow.

    Args:
        filters: Number of filters of every map, an integer in [1, inf).
        activation: Applied to `P`, a Keras activation by name, a function, or None.
        normalization: Applied to every convolution in place of its bias: "batch", "layer",
            "group", "instance", a Keras layer or None, as in `ConvNormActivation`.
        kernel_initializer: Initializer of the kernels.
        kernel_regularizer: Regularizer of the kernels, or None.
        data_format: "channels_last", "channels_first", or None for
            `keras.config.image_data_format()`.

    Shapes:
        Input: a list of maps `(batch, height, width, channels)`, the finest first, channels as
        they are. Output: a list of as many maps `(batch, height, width, filters)`.

    Behaviour:
        Training and inference are the same, but for the normalization. Maps may have any sizes;
        each pixel takes the pixel of the coarser map that lies over it.

    Example:
        One number from the coarse map reaches all of the fine one:

        >>> pyramid = FeaturePyramid(1, kernel_initializer="ones")
        >>> fine, coarse = keras.ops.zeros((1, 2, 2, 1)), keras.ops.full((1, 1, 1, 1), 3.0)
        >>> print(keras.ops.convert_to_numpy(pyramid([fine, coarse])[0]).ravel())
        [12. 12. 12. 12.]
    """

    def __init__(
        self,
        filters: int = 256,
        activation: KerasObject | None = None,
        normalization: str | keras.layers.Layer | None = None,
        kernel_initializer: KerasObject = "glorot_uniform",
        kernel_regularizer: KerasObject | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = checks.integer(self, "filters", filters, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.normalization = checks.normalization(self, "normalization", normalization)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        checks.choice(self, "data_format", data_format, (*AXES, None))
        self.data_format = data_format or keras.config.image_data_format()

    def build(self, input_shape: Shape) -> None:
        if not isinstance(input_shape, list | tuple) or not isinstance(
            input_shape[0], list | tuple
        ):
            raise checks.error(self, "input_shape", "a list of shapes of maps", input_shape)
        axis = 1 if self.data_format == "channels_first" else -1
        for shape in input_shape:
            checks.rank(self, shape, 4, AXES[self.data_format])
            checks.known_axis(self, shape, axis, "channels")
        self.input_spec = [
            keras.layers.InputSpec(ndim=4, axes={axis: shape[axis]}) for shape in input_shape
        ]
        levels = range(len(input_shape))
        self._V = [self._conv(f"lateral{i}", 1, None) for i in levels]
        self._W = [self._conv(f"output{i}", 3, self.activation) for i in levels]
        for V, W, shape in zip(self._V, self._W, input_shape, strict=True):
            V.build(shape)
            W.build(V.compute_output_shape(shape))

    def _conv(self, name, kernel_size, activation):
        return ConvNormActivation(
            self.filters,
            kernel_size,
            activation=activation,
            normalization=self.normalization,
            kernel_initializer=another(self.kernel_initializer),
            kernel_regularizer=self.kernel_regularizer,
            **{**inside(self, name), "data_format": self.data_format},
        )

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        C = [as_floats(x, self.compute_dtype) for x in inputs]
        M = [V(x, training=training) for V, x in zip(self._V, C, strict=True)]
        for i in reversed(range(len(M) - 1)):
            M[i] = ops.add(M[i], self._grow(M[i + 1], M[i]))
        return [W(m, training=training) for W, m in zip(self._W, M, strict=True)]

    def _grow(self, x, like):
        """Repeat the pixels of `x` up to the size of another map."""
        for axis in (2, 3) if self.data_format == "channels_first" else (1, 2):
            old, new = x.shape[axis], like.shape[axis]
            if old and new in (2 * old - 1, 2 * old):
                x = ops.repeat(x, 2, axis=axis)[(slice(None),) * axis + (slice(new),)]
            elif old is None or old != new:
                old, new = ops.shape(x)[axis], ops.shape(like)[axis]
                x = ops.take(x, ops.arange(new, dtype="int32") * old // new, axis=axis)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        first = self.data_format == "channels_first"
        return [
            (s[0], self.filters, *s[2:]) if first else (*s[:-1], self.filters) for s in input_shape
        ]
