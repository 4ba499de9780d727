import math

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component


@component(
    paper=Paper(
        "Making Convolutional Networks Shift-Invariant Again",
        "Zhang",
        2019,
        "https://arxiv.org/abs/1904.11486",
        "section 3.2",
    ),
    equation="y = (x ∗ k kᵀ) at every strides-th pixel,  k = binomial coefficients / 2ⁿ⁻¹",
    space={"kernel_size": Choice(2, 3, 5), "strides": Choice(1, 2)},
    example=Example({"kernel_size": 5}, shape=(8, 7, 3)),
)
class BlurPooling2D(keras.layers.Layer):
    """Anti-aliased downsampling: a fixed binomial blur, then every `strides`-th pixel.

    Striding alone lets fine patterns reappear as false coarse ones, and an object shifted by a
    pixel changes the output. In place of a strided convolution take the convolution with stride
    1, its activation, then this; in place of max pooling, max pooling with stride 1, then this.

    Maths:
        `y[i, j] = Σ k[u] k[v] x[s i + u - pad, s j + v - pad]`, with `n` = `kernel_size`,
        `s` = `strides`, `k[u] = (n-1 choose u) / 2ⁿ⁻¹` and `pad = (s + n - 2) // 2` pixels on
        every side.

    Args:
        kernel_size: `n`, an integer in [2, inf). 3 or 5 is usual; 2 is average pooling.
        strides: `s`, an integer in [1, inf).
        padding: "reflect" mirrors the map at its outermost pixels, "symmetric" beyond them, and
            "constant" continues it with zeros, which darkens the border.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, (height + 2 pad - n) // s + 1, (width + 2 pad - n) // s + 1, channels)`.
        `channels` must be known.

    Behaviour:
        Training and inference are the same. Deterministic, without trainable weights. A map
        too small to be mirrored at once is mirrored over and over.

    Example:
        A single bright pixel, one half of it kept along each axis:

        >>> x = keras.ops.reshape(keras.ops.eye(5)[2:3] * keras.ops.eye(5)[:, 2:3], (1, 5, 5, 1))
        >>> y = BlurPooling2D(kernel_size=3, strides=2)(x)
        >>> tuple(y.shape), float(y[0, 1, 1, 0])
        ((1, 3, 3, 1), 0.25)
    """

    def __init__(self, kernel_size=3, strides=2, padding="reflect", **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = checks.integer(self, "kernel_size", kernel_size, "[2, inf)")
        self.strides = checks.integer(self, "strides", strides, "[1, inf)")
        self.padding = checks.choice(self, "padding", padding, ("reflect", "symmetric", "constant"))
        n = self.kernel_size
        self._pad = (self.strides + n - 2) // 2
        self._k = np.array([math.comb(n - 1, u) / 2 ** (n - 1) for u in range(n)])

    def build(self, input_shape):
        checks.rank(self, input_shape, 4, "(batch, height, width, channels)")
        checks.known_axis(self, input_shape, -1, "channels")
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, x):
        x = as_floats(x, self.compute_dtype)
        kkT = np.outer(self._k, self._k)[:, :, None, None]
        kernel = ops.cast(np.repeat(kkT, x.shape[-1], axis=2), x.dtype)
        return ops.depthwise_conv(
            self._padded(x), kernel, self.strides, "valid", data_format="channels_last"
        )

    def _padded(self, x):
        pad, (batch, *sizes) = self._pad, x.shape[:3]
        once = all(size is None or size > pad for size in sizes)
        # no backend mirrors a batch of none, as a replica may have
        if pad == 0 or self.padding == "constant" or (batch and once):
            return ops.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=self.padding)
        for axis, size in enumerate(sizes, start=1):
            if size is None or size > pad:
                x = self._mirrored(x, (slice(None),) * axis, axis)
            else:
                x = ops.take(x, np.pad(np.arange(size), pad, mode=self.padding), axis=axis)
        return x

    def _mirrored(self, x, before, axis):
        edge = int(self.padding == "reflect")  # the outermost pixel is not repeated
        first, last = slice(edge, self._pad + edge), slice(-self._pad - edge, -edge or None)
        ends = [ops.flip(x[(*before, end)], axis=axis) for end in (first, last)]
        return ops.concatenate([ends[0], x, ends[1]], axis=axis)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, self._output_size(height), self._output_size(width), channels)

    def _output_size(self, size):
        if size is None:
            return None
        return (size + 2 * self._pad - self.kernel_size) // self.strides + 1
