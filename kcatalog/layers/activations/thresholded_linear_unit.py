from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Filter Response Normalization Layer: Eliminating Batch Dependence in the Training of Deep "
        "Neural Networks",
        "Singh, Krishnan",
        2019,
        "https://arxiv.org/abs/1911.09737",
        "equation 6",
    ),
    tags=("shape-preserving", "masking"),
    space={"affine": Choice(False, True)},
    example=Example({"affine": True, "alpha_initializer": "uniform"}, shape=(5, 4, 3)),
)
class ThresholdedLinearUnit(keras.layers.Layer):
    """Thresholded linear unit (TLU): a ReLU whose threshold is learned for each channel.

    Put it behind `FilterResponseNormalization`, which does not center: zero is then not the
    place to cut. Behind a normalization that centers and has a learned offset, it equals ReLU with
    one more offset.

    Maths:
        `y = max(x, τ)`, or `y = max(x, α x + τ)` where `affine`, with `τ` and `α` per channel.

    Args:
        affine: Whether there is an `α`.
        tau_initializer: Initializer of `τ`.
        tau_regularizer: Regularizer of `τ`, or None.
        tau_constraint: Constraint on `τ`, or None.
        alpha_initializer: Initializer of `α`.
        alpha_regularizer: Regularizer of `α`, or None.
        alpha_constraint: Constraint on `α`, or None.
        axis: Axis of the channels, an integer in (-inf, inf).

    Shapes:
        Input `(batch, ...)`, output the same. The size of `axis` must be known.

    Behaviour:
        Training and inference are the same. Deterministic. TensorFlow Addons' `TLU` learns a `τ`
        for each position, where the paper and this layer have one for each channel. A mask is
        passed on.

    Example:
        >>> layer = ThresholdedLinearUnit(tau_initializer=keras.initializers.Constant(-0.5))
        >>> y = layer(keras.ops.convert_to_tensor([[1.0], [-0.25], [-2.0]]))
        >>> print(keras.ops.convert_to_numpy(y)[:, 0])
        [ 1.   -0.25 -0.5 ]
    """

    def __init__(
        self,
        affine: bool = False,
        tau_initializer: KerasObject = "zeros",
        tau_regularizer: KerasObject | None = None,
        tau_constraint: KerasObject | None = None,
        alpha_initializer: KerasObject = "zeros",
        alpha_regularizer: KerasObject | None = None,
        alpha_constraint: KerasObject | None = None,
        axis: int = -1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.affine = checks.boolean(self, "affine", affine)
        self.tau_initializer = checks.initializer(self, "tau_initializer", tau_initializer)
        self.tau_regularizer = checks.regularizer(self, "tau_regularizer", tau_regularizer)
        self.tau_constraint = checks.constraint(self, "tau_constraint", tau_constraint)
        self.alpha_initializer = checks.initializer(self, "alpha_initializer", alpha_initializer)
        self.alpha_regularizer = checks.regularizer(self, "alpha_regularizer", alpha_regularizer)
        self.alpha_constraint = checks.constraint(self, "alpha_constraint", alpha_constraint)
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self._shape = checks.channels_shape(self, input_shape, self.axis)
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape), axes={self.axis: self._shape[0]}
        )
        self.tau = self.add_weight(
            self._shape[:1],
            self.tau_initializer,
            regularizer=self.tau_regularizer,
            constraint=self.tau_constraint,
            name="tau",
        )
        if self.affine:
            self.alpha = self.add_weight(
                self._shape[:1],
                self.alpha_initializer,
                regularizer=self.alpha_regularizer,
                constraint=self.alpha_constraint,
                name="alpha",
            )

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        τ = ops.reshape(self.tau, self._shape)
        return ops.maximum(x, ops.reshape(self.alpha, self._shape) * x + τ if self.affine else τ)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
