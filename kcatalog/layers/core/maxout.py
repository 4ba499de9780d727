from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Maxout Networks",
        "Goodfellow, Warde-Farley, Mirza, Courville, Bengio",
        2013,
        "https://arxiv.org/abs/1302.4389",
        "section 3",
    ),
    tags=("masking",),
    space={"num_units": Int(1, 3, step=2)},
    example=Example({"num_units": 2}, shape=(4, 6)),
)
class Maxout(keras.layers.Layer):
    """Maxout: the largest of several channels, an activation that is learned.

    Put it behind a `Dense` or convolution layer of `num_units * pieces` units: each unit is then
    the maximum of `pieces` linear functions, which can take the shape of any convex one. Made
    for use with dropout. It costs `pieces` times the weights of a ReLU layer, which does as well
    for most tasks.

    Maths:
        `y_j = max over i of x_(i k + j)`, with `j` from 0 to below `k` = `num_units`: a unit takes
        every `k`-th channel.

    Args:
        num_units: `k`, how many channels remain, an integer in [1, inf); must divide the number of
            channels.
        axis: Axis of the channels, an integer in (-inf, inf).

    Shapes:
        Input `(batch, ..., channels)`, output `(batch, ..., num_units)`. The size of `axis` must be
        known.

    Behaviour:
        Training and inference are the same. Deterministic. Same order of channels as in TensorFlow
        Addons. A mask is passed on.

    Example:
        >>> layer = Maxout(num_units=2)
        >>> y = layer(keras.ops.convert_to_tensor([[1.0, 2.0, 5.0, -7.0]]))
        >>> print(keras.ops.convert_to_numpy(y))
        [[5. 2.]]
    """

    def __init__(self, num_units: int, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_units = checks.integer(self, "num_units", num_units, "[1, inf)")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        channels = checks.channels_shape(self, input_shape, self.axis)[0]
        if channels % self.num_units:
            rule = f"a shape whose axis {self.axis} is a multiple of num_units={self.num_units}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, x: Tensor) -> Tensor:
        axis, shape = self.axis % len(x.shape), list(ops.shape(x))
        pieces = x.shape[axis] // self.num_units
        if x.shape[0] == 0:  # which `ops.max` refuses
            return ops.split(x, pieces, axis=axis)[0]
        shape[axis : axis + 1] = [pieces, self.num_units]
        return ops.max(ops.reshape(x, shape), axis=axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = list(input_shape)
        shape[self.axis] = self.num_units
        return tuple(shape)
