from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.convolution.convolution2d import Convolution2D
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "An Intriguing Failing of Convolutional Neural Networks and the CoordConv Solution",
        "Liu, Lehman, Molino, Petroski Such, Frank, Sergeev, Yosinski",
        2018,
        "https://arxiv.org/abs/1807.03247",
        "section 3",
    ),
    space={"use_radius": Choice(False, True)},
    example=Example(
        {"filters": 3, "kernel_size": 3, "padding": "same", "use_radius": True}, shape=(5, 4, 2)
    ),
)
class CoordConv2D(Convolution2D):
    """Convolution that also sees the coordinates of its pixels.

    Takes the place of `keras.layers.Conv2D` where the answer depends on the position: detection,
    generation, control from pixels. One such layer, early in the network, is usually enough. Not
    for tasks where a shifted image should give the same answer.

    Maths:
        `y = [x, i, j] ∗ W + b`, with `i` and `j` the row and the column of a pixel, each from -1
        to 1 over the map, and `r = √(i² + j²)` as a further channel with `use_radius=True`.
        Computed as `x ∗ Wx + [i, j] ∗ Wij + b`, the second convolution once for all images.

    Args:
        use_radius: True to add the distance from the centre as a channel.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, new_height, new_width, filters)`, as `keras.layers.Conv2D`. The kernel's last
        input channels are those of `i`, `j` and `r`.

    Behaviour:
        Training and inference are the same. Deterministic. With `groups`, each group sees the
        coordinates. The coordinate of the only row of a map is 0.

    Example:
        With only the column's weight set, the output is the column's coordinate:

        >>> layer = CoordConv2D(1, 1, kernel_initializer="zeros")
        >>> layer.build((None, 2, 5, 3))
        >>> _ = layer.kernel.assign(ops.reshape(ops.eye(5)[4], (1, 1, 5, 1)))
        >>> y = layer(ops.ones((1, 2, 5, 3)))
        >>> print(ops.convert_to_numpy(y)[0, 0, :, 0])
        [-1.  -0.5  0.   0.5  1. ]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        *,
        use_radius: bool = False,
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        self.use_radius = checks.boolean(self, "use_radius", use_radius)
        self._coordinate_channels = 3 if use_radius else 2

    def _kernels_view(self, input_shape, axis):
        wider = list(input_shape)
        wider[axis] += self.groups * self._coordinate_channels
        return tuple(wider)

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Convolve images and coordinates, each with its part of the kernel."""
        ij = self._coordinates(inputs)
        own = kernel.shape[2] - self._coordinate_channels
        Wx, Wij = kernel[:, :, :own], kernel[:, :, own:]
        return super().convolution_op(inputs, Wx) + super().convolution_op(ij, Wij)

    def _coordinates(self, x):
        """Return the coordinates of every pixel, a batch of one."""
        last = self.data_format == "channels_last"
        height, width = ops.shape(x)[1:3] if last else ops.shape(x)[2:]
        i = ops.broadcast_to(_from_minus_one_to_one(height)[:, None], (height, width))
        j = ops.broadcast_to(_from_minus_one_to_one(width)[None], (height, width))
        channels = [i, j, ops.sqrt(i * i + j * j)] if self.use_radius else [i, j]
        return ops.cast(ops.stack(channels, axis=-1 if last else 0)[None], x.dtype)


def _from_minus_one_to_one(size):
    steps = ops.arange(size, dtype="float32")
    last = ops.cast(size - 1, "float32")
    return (2 * steps - last) / ops.maximum(last, 1)
