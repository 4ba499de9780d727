from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.attention import attend
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
        "Liu, Lin, Cao, Hu, Wei, Zhang, Lin, Guo",
        2021,
        "https://arxiv.org/abs/2103.14030",
        "section 3.2",
    ),
    tags=("shape-preserving",),
    space={"window_size": Choice(4, 7)},
    example=Example({"num_heads": 2, "window_size": 3, "shift_size": 1}, shape=(5, 6, 4)),
)
class WindowAttention(ImageLayer):
    """Window attention of the Swin Transformer: pixels attend to those in their window.

    Self-attention for feature maps whose cost grows with the number of pixels, not with its
    square. Alternate blocks with `shift_size=0` and with `shift_size=window_size // 2`, so that
    neighbouring windows are connected. Put normalization, residual connection and a feed-forward
    layer around it, as in `TransformerEncoderBlock`.

    Maths:
        `y = W (softmax(q kᵀ / √d + B) v)` within each window of `window_size²` pixels, over
        `num_heads` heads of `d = channels / num_heads`, with `q`, `k`, `v` linear in `x` and `B` a
        trained number for each head and each difference of rows and of columns. With a shift the
        windows begin `shift_size` pixels further down and right; those cut by the border are
        smaller.

    Args:
        num_heads: Number of attention heads, an integer in [1, inf) that divides the channels.
        window_size: Height and width of a window, an integer in [1, inf).
        shift_size: Shift of the windows, an integer in [0, inf), less than `window_size`.
        use_bias: Whether the linear maps have biases.
        kernel_initializer: Initializer of the linear maps.
        bias_initializer: Initializer of their biases.
        position_initializer: Initializer of `B`.

    Shapes:
        Input `(batch, height, width, channels)` of any height and width, or channels first; output
        the same.

    Behaviour:
        Training and inference are the same. Deterministic. Where windows do not cover the image
        evenly, the rest are smaller windows; the authors' code lets them attend to zeros.

    Example:
        The query of the first pixel, 0, prefers none, so it gets its window's mean of 0, 1, 4, 5:

        >>> layer = WindowAttention(num_heads=1, window_size=2, kernel_initializer="ones")
        >>> x = ops.reshape(ops.arange(16, dtype="float32"), (1, 4, 4, 1))
        >>> print(ops.convert_to_numpy(layer(x))[0, 0, 0].round(4))
        [2.5]
    """

    def __init__(
        self,
        num_heads: int,
        window_size: int = 7,
        shift_size: int = 0,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        position_initializer: KerasObject = "zeros",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.num_heads = checks.integer(self, "num_heads", num_heads, "[1, inf)")
        self.window_size = checks.integer(self, "window_size", window_size, "[1, inf)")
        self.shift_size = checks.integer(self, "shift_size", shift_size, "[0, inf)")
        if shift_size >= window_size:
            rule = f"less than window_size={window_size}"
            raise checks.error(self, "shift_size", rule, shift_size)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.position_initializer = checks.initializer(
            self, "position_initializer", position_initializer
        )

    def build_images(self, input_shape: Shape) -> None:
        channels, m = input_shape[-1], self.window_size
        if channels % self.num_heads:
            rule = f"a shape whose channels are a multiple of num_heads={self.num_heads}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        self._attention = keras.layers.MultiHeadAttention(
            self.num_heads,
            channels // self.num_heads,
            use_bias=self.use_bias,
            kernel_initializer=redrawn(self.kernel_initializer),
            bias_initializer=redrawn(self.bias_initializer),
            dtype=self.dtype_policy,
            name="attention",
        )
        window = (None, m * m, channels)
        self._attention.build(window, window)
        differences = ((2 * m - 1) ** 2, self.num_heads)
        self._B = self.add_weight(differences, self.position_initializer, name="position_bias")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        x = ops.cast(x, self.compute_dtype)
        (batch, height, width, channels), m, s = ops.shape(x), self.window_size, self.shift_size
        below, right = -height % m, -width % m
        rows, columns = (height + below) // m, (width + right) // m
        x = ops.pad(x, [[0, 0], [0, below], [0, right], [0, 0]])
        x = ops.roll(x, (-s, -s), axis=(1, 2)) if s else x
        windows = self._windows(x, rows, columns)
        a = self._attention
        q, k, v = a.query_dense(windows), a.key_dense(windows), a.value_dense(windows)
        allowed = None
        if s or not (isinstance(below, int) and isinstance(right, int) and below == right == 0):
            allowed = ops.tile(self._allowed(height, width, rows, columns), (batch, 1, 1))
        y = a.output_dense(attend(q, k, v, allowed=allowed, bias=self._bias()))
        y = ops.reshape(y, (batch, rows, columns, m, m, channels))
        y = ops.transpose(y, (0, 1, 3, 2, 4, 5))
        y = ops.reshape(y, (batch, rows * m, columns * m, channels))
        y = ops.roll(y, (s, s), axis=(1, 2)) if s else y
        return y[:, :height, :width]

    def _windows(self, x, rows, columns):
        """Cut images into windows, `(batch · rows · columns, window², channels)`."""
        m = self.window_size
        x = ops.reshape(x, (-1, rows, m, columns, m, x.shape[-1]))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, m * m, x.shape[-1]))

    def _allowed(self, height, width, rows, columns):
        """Return which pixels of a window are in one window of the image, and no padding."""
        m, s = self.window_size, self.shift_size

        def regions(size, count):
            """Return 1, or 2 for what the shift brought from the other border; 0 for padding."""
            at = ops.arange(count * m)
            moved = ops.cast(at >= count * m - s, "int32")
            real = ops.cast((at + s) % (count * m) < size, "int32")
            return (1 + moved) * real

        row, column = regions(height, rows)[:, None], regions(width, columns)[None]
        region = ops.where(row * column > 0, 3 * row + column, 0)[None, :, :, None]
        region = self._windows(region, rows, columns)[..., 0]
        same = region[:, :, None] == region[:, None]
        return ops.logical_and(same, region[:, None] > 0)

    def _bias(self):
        """Return `B` for each pair of pixels of a window, `(1, heads, window², window²)`."""
        m = self.window_size
        at = np.stack(np.meshgrid(np.arange(m), np.arange(m), indexing="ij")).reshape(2, -1)
        row, column = at[:, :, None] - at[:, None] + m - 1
        pairs = ops.convert_to_tensor((row * (2 * m - 1) + column).astype("int32"))
        return ops.transpose(ops.take(self._B, pairs, axis=0), (2, 0, 1))[None]
