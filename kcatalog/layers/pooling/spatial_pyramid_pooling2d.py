from collections.abc import Sequence
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.layers.convolution.sublayers import both
from kcatalog.layers.image_layer import ImageLayer
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition",
        "He, Zhang, Ren, Sun",
        2014,
        "https://arxiv.org/abs/1406.4729",
        "section 2.2",
    ),
    equation="y = means over the cells of an h × w grid, for each (h, w) of bins",
    example=Example({"bins": [1, [2, 3]]}, shape=(5, 6, 3)),
)
class SpatialPyramidPooling2D(ImageLayer):
    """Spatial pyramid pooling: means over grids of several sizes, whatever the image's size.

    Gives dense layers an input of fixed size that still tells the upper left from the lower right,
    which global average pooling does not.

    Maths:
        For each `(h, w)` of `bins`: `y[i, j] = mean of x[a, b]` over the rows
        `⌊i H/h⌋ ≤ a < ⌈(i+1) H/h⌉` and columns `⌊j W/w⌋ ≤ b < ⌈(j+1) W/w⌉`, with `H`, `W` the
        sizes of the image. Every pixel counts: where `h` does not divide `H`, cells share rows,
        while TFA leaves the last rows out. The paper takes maxima in place of means.

    Args:
        bins: List of grids, each an integer in [1, inf), or two of them for rows and columns.

    Shapes:
        Input `(batch, height, width, channels)`; output `(batch, Σ h w, channels)`, the cells of
        each grid row by row. With channels first `(batch, channels, Σ h w)`.

    Behaviour:
        Training and inference are the same. Deterministic, without weights. Height and width may
        be unknown.

    Example:
        The mean of all, then the two halves:

        >>> import keras
        >>> x = keras.ops.reshape(keras.ops.arange(4, dtype="float32"), (1, 1, 4, 1))
        >>> y = SpatialPyramidPooling2D([1, (1, 2)])(x)
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [1.5 0.5 2.5]
    """

    def __init__(self, bins: Sequence[int], data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.bins = bins
        rule = "a list of integers in [1, inf), or of two of them"
        if not isinstance(bins, list | tuple) or not bins:
            raise checks.error(self, "bins", rule, bins, f"Write bins=[{bins!r}].")
        for grid in bins:
            checks.pair(self, "bins", grid, "[1, inf)")

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        batch, height, width, channels = ops.shape(x)
        cells = []
        for h, w in map(both, self.bins):
            if isinstance(height, int) and isinstance(width, int) and height % h == width % w == 0:
                rows = ops.reshape(x, (batch, h, height // h, width * channels))
                rows = ops.mean(rows, axis=2)
                grid = ops.reshape(rows, (batch, h, w, width // w, channels))
                grid = ops.mean(grid, axis=3)
            else:
                rows = ops.einsum("ha,nabc->nhbc", _means(height, h, x.dtype), x)
                grid = ops.einsum("wb,nhbc->nhwc", _means(width, w, x.dtype), rows)
            cells.append(ops.reshape(grid, (batch, h * w, channels)))
        y = ops.concatenate(cells, axis=1)
        return ops.transpose(y, (0, 2, 1)) if self.data_format == "channels_first" else y

    def images_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, _, channels = input_shape
        cells = sum(h * w for h, w in map(both, self.bins))
        first = self.data_format == "channels_first"
        return (batch, channels, cells) if first else (batch, cells, channels)


def _means(size, cells, dtype):
    """Return the matrix `(cells, size)` whose rows average the places of a cell."""
    i, places = ops.arange(cells)[:, None], ops.arange(size)[None]
    inside = ops.logical_and(places >= i * size // cells, places < -(-(i + 1) * size // cells))
    inside = ops.cast(inside, "float32")
    return ops.cast(inside / ops.sum(inside, axis=1, keepdims=True), dtype)
