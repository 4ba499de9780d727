from typing import Any

import keras
from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Gaussian Error Linear Units (GELUs)",
        "Hendrycks, Gimpel",
        2016,
        "https://arxiv.org/abs/1606.08415",
        "section 2, the sigmoid approximation",
    ),
    tags=("shape-preserving", "masking"),
    example=Example(shape=(4, 3)),
)
class QuickGELU(keras.layers.Layer):
    """Quick GELU: the approximation of GELU by a sigmoid, which CLIP was trained with.

    For weights that were trained with it, such as those of CLIP. It differs from GELU by up
    to 0.02, too much to exchange one for the other in a trained model. For new models take
    `keras.activations.gelu` or `keras.activations.silu`.

    Maths:
        `y = x σ(1.702 x)`, with the logistic function `σ`.

    Shapes:
        Input `(batch, ...)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. A mask is passed on.

    Example:
        >>> y = QuickGELU()(keras.ops.convert_to_tensor([[1.0, -1.0, 0.0]]))
        >>> print(keras.ops.convert_to_numpy(y).round(4))
        [[ 0.8458 -0.1542  0.    ]]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        return x * ops.sigmoid(1.702 * x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
