from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops.precision import as_floats, at_least_float32
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Filter Response Normalization Layer: Eliminating Batch Dependence in the Training of Deep "
        "Neural Networks",
        "Singh, Krishnan",
        2019,
        "https://arxiv.org/abs/1911.09737",
        "equations 1 to 5",
    ),
    tags=("shape-preserving",),
    space={"learned_epsilon": Choice(False, True)},
    example=Example({"learned_epsilon": True}, shape=(5, 4, 3)),
)
class FilterResponseNormalization(keras.layers.Layer):
    """Filter response normalization (FRN): each channel divided by its root mean square over space.

    For convolutional networks with batches too small for batch normalization: a sample does not
    depend on its batch, in training either. Follow it by `ThresholdedLinearUnit`, since it
    does not center, and warm the learning rate up. Of channels that are one pixel in size it keeps
    little more than the sign, unless `learned_epsilon`.

    Maths:
        `y = γ x / √(ν² + ε + |ε'|) + β`, with `ν²` = the mean of `x²` over `axis`, `ε` = `epsilon`
        and a learned `ε'` that starts at 1e-4, or 0 without `learned_epsilon`.

    Args:
        epsilon: `ε`, a number in (0, inf).
        axis: The axes of space, an integer or a list of integers: all but those of the batch and
            the channels. `[2, 3]` for images with `data_format="channels_first"`, 1 for sequences.
        beta_initializer: Initializer of `β`.
        gamma_initializer: Initializer of `γ`.
        beta_regularizer: Regularizer of `β`, or None.
        gamma_regularizer: Regularizer of `γ`, or None.
        beta_constraint: Constraint on `β`, or None.
        gamma_constraint: Constraint on `γ`, or None.
        learned_epsilon: Whether there is an `ε'`, which small maps need.
        learned_epsilon_constraint: Constraint on `ε'`, or None.

    Shapes:
        Input `(batch, height, width, channels)` or another with the axes of `axis`, output the
        same. The number of channels must be known.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is computed in float32.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[[1.0]], [[-3.0]]]])
        >>> y = FilterResponseNormalization()(x)  # the mean square is 5
        >>> print(keras.ops.convert_to_numpy(y)[0, :, 0, 0].round(4))
        [ 0.4472 -1.3416]
    """

    def __init__(
        self,
        epsilon: float = 1e-6,
        axis: int | Sequence[int] = (1, 2),
        beta_initializer: KerasObject = "zeros",
        gamma_initializer: KerasObject = "ones",
        beta_regularizer: KerasObject | None = None,
        gamma_regularizer: KerasObject | None = None,
        beta_constraint: KerasObject | None = None,
        gamma_constraint: KerasObject | None = None,
        learned_epsilon: bool = False,
        learned_epsilon_constraint: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.axis = checks.axes(self, "axis", axis)
        self.beta_initializer = checks.initializer(self, "beta_initializer", beta_initializer)
        self.gamma_initializer = checks.initializer(self, "gamma_initializer", gamma_initializer)
        self.beta_regularizer = checks.regularizer(self, "beta_regularizer", beta_regularizer)
        self.gamma_regularizer = checks.regularizer(self, "gamma_regularizer", gamma_regularizer)
        self.beta_constraint = checks.constraint(self, "beta_constraint", beta_constraint)
        self.gamma_constraint = checks.constraint(self, "gamma_constraint", gamma_constraint)
        self.learned_epsilon = checks.boolean(self, "learned_epsilon", learned_epsilon)
        self.learned_epsilon_constraint = checks.constraint(
            self, "learned_epsilon_constraint", learned_epsilon_constraint
        )

    def build(self, input_shape: Shape) -> None:
        ndim = len(input_shape)
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        self._space = tuple(sorted({a % ndim for a in axes if -ndim <= a < ndim}))
        left = [a for a in range(1, ndim) if a not in self._space]
        if len(left) != 1 or len(self._space) != len(axes) or 0 in self._space:
            rule = f"a shape of a batch, the axes {self.axis} and one of channels"
            fix = "Name the axes of space in `axis`."
            raise checks.error(self, "input_shape", rule, tuple(input_shape), fix)
        self._shape = checks.channels_shape(self, input_shape, left[0])
        self.input_spec = keras.layers.InputSpec(ndim=ndim, axes={left[0]: self._shape[0]})
        self.gamma = self.add_weight(
            self._shape[:1],
            self.gamma_initializer,
            regularizer=self.gamma_regularizer,
            constraint=self.gamma_constraint,
            name="gamma",
        )
        self.beta = self.add_weight(
            self._shape[:1],
            self.beta_initializer,
            regularizer=self.beta_regularizer,
            constraint=self.beta_constraint,
            name="beta",
        )
        if self.learned_epsilon:
            self._ε = self.add_weight(
                (),
                keras.initializers.Constant(1e-4),
                constraint=self.learned_epsilon_constraint,
                name="learned_epsilon",
                autocast=False,
            )

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        γ, β = (ops.reshape(w, self._shape) for w in (self.gamma, self.beta))
        wide = at_least_float32(x)
        ε = self.epsilon + (ops.cast(ops.abs(self._ε), wide.dtype) if self.learned_epsilon else 0)
        ν2 = ops.mean(ops.square(wide), axis=self._space, keepdims=True)
        return γ * ops.cast(wide * ops.rsqrt(ν2 + ε), x.dtype) + β

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
