from typing import Any

import keras
from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "LiSHT: Non-Parametric Linearly Scaled Hyperbolic Tangent Activation Function for Neural "
        "Networks",
        "Roy, Manna, Dubey, Chaudhuri",
        2019,
        "https://arxiv.org/abs/1901.05894",
        "equation 3",
    ),
    tags=("shape-preserving", "masking"),
    example=Example(shape=(4, 3)),
)
class LiSHT(keras.layers.Layer):
    """LiSHT: the input scaled by its hyperbolic tangent, an even function without an upper bound.

    For trying an activation that treats negative inputs like positive ones: it is close to
    the magnitude, smooth at 0. A layer behind it cannot tell signs, so it seldom beats
    `keras.layers.ReLU` or `keras.activations.silu`.

    Maths:
        `y = x tanh(x)`.

    Shapes:
        Input `(batch, ...)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. A mask is passed on.

    Example:
        >>> y = LiSHT()(keras.ops.convert_to_tensor([[1.0, -1.0, 0.0]]))
        >>> print(keras.ops.convert_to_numpy(y).round(4))
        [[0.7616 0.7616 0.    ]]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        return x * ops.tanh(x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
