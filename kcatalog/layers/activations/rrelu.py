from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Empirical Evaluation of Rectified Activations in Convolutional Network",
        "Xu, Wang, Chen, Li",
        2015,
        "https://arxiv.org/abs/1505.00853",
        "section 2.4",
    ),
    equation="y = x where x >= 0, else a x,  a ~ U(lower, upper) per value in training",
    tags=("shape-preserving", "random", "masking"),
    space={"lower": Float(0.0, 0.3), "upper": Float(0.31, 1.0)},
    example=Example({"lower": 0.1, "upper": 0.5, "seed": 1}, shape=(4, 3)),
)
class RReLU(keras.layers.Layer):
    """Randomized leaky ReLU: the slope of negative inputs is drawn anew for each value.

    For small data sets, where the random slopes regularize. `keras.layers.LeakyReLU` has one slope
    and costs no random numbers, `keras.layers.PReLU` learns it.

    Maths:
        `y = x` where `x >= 0`, else `a x`, with `a` uniform between `lower` and `upper` in training
        and `a = (lower + upper) / 2` at inference.

    Args:
        lower: Least slope, a number in [0, inf).
        upper: Largest slope, a number in [0, inf), at least `lower`.
        seed: An integer in [0, inf), or None.

    Shapes:
        Input `(batch, ...)`, output the same.

    Behaviour:
        In training the mean over the draws is the output at inference. The defaults are those of
        TensorFlow Addons and PyTorch; the paper draws the inverse of the slope. A mask is passed
        on.

    Example:
        >>> y = RReLU(lower=0.2, upper=0.4)(keras.ops.convert_to_tensor([[2.0, -1.0]]))
        >>> print(keras.ops.convert_to_numpy(y).round(4))
        [[ 2.  -0.3]]
    """

    def __init__(
        self,
        lower: float = 0.125,
        upper: float = 0.3333333333333333,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.lower = checks.number(self, "lower", lower, "[0, inf)")
        self.upper = checks.number(self, "upper", upper, "[0, inf)")
        if upper < lower:
            raise checks.error(self, "upper", f"at least `lower`, {lower}", upper)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        a = (self.lower + self.upper) / 2
        if training and self.lower < self.upper:
            # differs from the paper: the slope is uniform, not its inverse
            a = keras.random.uniform(
                ops.shape(x), self.lower, self.upper, "float32", self._seed_generator
            )
            a = ops.cast(a, x.dtype)
        return ops.where(x >= 0, x, a * x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
