"""The base of blur pooling over one and two axes."""

import functools
import math
from typing import Any

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.types import Shape, Tensor


class BlurPooling(ImageLayer):
    """Binomial blur along each spatial axis, then every `strides`-th value.

    Args:
        kernel_size: `n`, an integer in [2, inf). 3 or 5 is usual; 2 is average pooling.
        strides: `s`, an integer in [1, inf).
        padding: "reflect" mirrors the input at its outermost values, "symmetric" beyond them, and
            "constant" continues it with zeros, which darkens the border.
    """

    def __init__(
        self,
        kernel_size: int = 3,
        strides: int = 2,
        padding: str = "reflect",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.kernel_size = checks.integer(self, "kernel_size", kernel_size, "[2, inf)")
        self.strides = checks.integer(self, "strides", strides, "[1, inf)")
        self.padding = checks.choice(self, "padding", padding, ("reflect", "symmetric", "constant"))
        n = self.kernel_size
        self._pad = (self.strides + n - 2) // 2
        self._k = np.array([math.comb(n - 1, u) / 2 ** (n - 1) for u in range(n)])

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        k = functools.reduce(np.multiply.outer, [self._k] * self.spatial)
        kernel = ops.cast(np.repeat(k[..., None, None], x.shape[-1], axis=-2), x.dtype)
        x = self._padded(x)
        return ops.depthwise_conv(x, kernel, self.strides, "valid", data_format="channels_last")

    def _padded(self, x):
        pad, (batch, *sizes) = self._pad, x.shape[:-1]
        once = all(size is None or size > pad for size in sizes)
        # no backend mirrors a batch of none, as a replica may have
        if pad == 0 or self.padding == "constant" or (batch and once):
            return ops.pad(x, ((0, 0), *[(pad, pad)] * len(sizes), (0, 0)), mode=self.padding)
        for axis, size in enumerate(sizes, start=1):
            if size is None or size > pad:
                x = self._mirrored(x, (slice(None),) * axis, axis)
            else:
                x = ops.take(x, np.pad(np.arange(size), pad, mode=self.padding), axis=axis)
        return x

    def _mirrored(self, x, before, axis):
        edge = int(self.padding == "reflect")  # the outermost value is not repeated
        first, last = slice(edge, self._pad + edge), slice(-self._pad - edge, -edge or None)
        ends = [ops.flip(x[(*before, end)], axis=axis) for end in (first, last)]
        return ops.concatenate([ends[0], x, ends[1]], axis=axis)

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        return (batch, *map(self._output_size, sizes), channels)

    def _output_size(self, size):
        if size is None:
            return None
        return (size + 2 * self._pad - self.kernel_size) // self.strides + 1
