"""The base of generalized-mean pooling over one and two axes."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.types import Shape, Tensor


class GeneralizedMeanPooling(ImageLayer):
    """Generalized mean over the spatial axes.

    Args:
        p: The exponent, or its start if `learnable`, a number in [1, inf).
        learnable: Whether one `p` for all channels is trained; it is kept at 1 or more.
        epsilon: The smallest activation, a number in (0, inf).
        keepdims: Whether the output keeps the spatial axes, with size 1.
    """

    def __init__(
        self,
        p: float = 3.0,
        learnable: bool = True,
        epsilon: float = 1e-6,
        keepdims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.p = checks.number(self, "p", p, "[1, inf)")
        self.learnable = checks.boolean(self, "learnable", learnable)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.keepdims = checks.boolean(self, "keepdims", keepdims)

    def build_images(self, input_shape: Shape) -> None:
        start = keras.initializers.Constant(self.p)
        # differs from the paper: p is kept from falling below the average's 1
        self._p = self.add_weight(
            (), start, trainable=self.learnable, constraint=_AtLeastOne(), autocast=False, name="p"
        )

    def call_images(
        self, x: Tensor, training: bool | None = False, mask: Tensor | None = None
    ) -> Tensor:
        space = tuple(range(1, self.spatial + 1))
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        p = ops.cast(self._p, wide.dtype)
        log_x = p * ops.log(ops.maximum(wide, self.epsilon))
        if mask is None:
            N = ops.cast(ops.prod(ops.shape(x)[1:-1]), wide.dtype)
        else:
            real = ops.expand_dims(ops.cast(mask, "bool"), -1)
            log_x = ops.where(real, log_x, -1e30)
            N = ops.sum(ops.cast(real, wide.dtype), axis=space, keepdims=self.keepdims)
            N = ops.maximum(N, 1.0)
        log_sum = ops.logsumexp(log_x, axis=space, keepdims=self.keepdims)
        return ops.cast(ops.exp((log_sum - ops.log(N)) / p), x.dtype)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        return (batch, *[1 for _ in sizes], channels) if self.keepdims else (batch, channels)


class _AtLeastOne(keras.constraints.Constraint):  # Keras 3.13 takes no function here
    def __call__(self, w):
        return ops.maximum(w, 1.0)
