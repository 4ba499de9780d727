from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.norms import scaled_norm, unit
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Poincaré Embeddings for Learning Hierarchical Representations",
        "Nickel, Kiela",
        2017,
        "https://arxiv.org/abs/1705.08039",
        "section 3, proj",
    ),
    tags=("shape-preserving", "masking"),
    space={"epsilon": Float(1e-6, 1e-2, log=True)},
    example=Example({"axis": -1, "epsilon": 1e-2}, shape=(4, 3)),
)
class PoincareNormalize(keras.layers.Layer):
    """Projection into the open unit ball, the space of Poincaré embeddings.

    For hyperbolic embeddings, whose distances are infinite at the unit sphere. Points inside stay
    where they are; `keras.layers.UnitNormalization` moves all of them to the sphere.

    Maths:
        `y = x min(1, (1 - ε) / ‖x‖)`, with the norm over `axis` and `ε` = `epsilon`.

    Args:
        axis: Axis or list of axes of a point, an integer or a list of integers.
        epsilon: `ε`, the least distance to the sphere, a number in (0, 1).

    Shapes:
        Input `(batch, ...)`, output the same.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is computed in float32. A
        mask is passed on.

    Example:
        >>> layer = PoincareNormalize(epsilon=0.5)
        >>> y = layer(keras.ops.convert_to_tensor([[3.0, 4.0], [0.25, 0.0]]))
        >>> print(keras.ops.convert_to_numpy(y))
        [[0.3  0.4 ]
         [0.25 0.  ]]
    """

    def __init__(self, axis: int | Sequence[int] = 1, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = checks.axes(self, "axis", axis)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, 1)")
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        m, r = scaled_norm(x, self.axis)
        outside = m * r > 1 - self.epsilon
        on_the_ball = (1 - self.epsilon) * unit(x, self.axis)  # of an infinite norm, too
        return ops.cast(ops.where(outside, on_the_ball, ops.cast(x, m.dtype)), x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
