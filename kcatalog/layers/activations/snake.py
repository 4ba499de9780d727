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
        "Neural Networks Fail to Learn Periodic Functions and How to Fix It",
        "Ziyin, Hartwig, Ueda",
        2020,
        "https://arxiv.org/abs/2006.08195",
        "equation 3",
    ),
    tags=("shape-preserving", "masking"),
    space={"axis": Choice(None, -1)},
    example=Example({"axis": -1, "frequency_initializer": "uniform"}, shape=(4, 3)),
)
class Snake(keras.layers.Layer):
    """Snake: the identity plus a periodic ripple of a learned frequency.

    For periodic data that a network shall continue beyond what it has seen, such as audio and
    seasonal series. Use `frequency_initializer` near the frequency of the data; far from it,
    gradients for the frequency mislead. ReLU is cheaper where nothing repeats.

    Maths:
        `y = x + sin²(a x) / a`, with one learned `a` for all, or one for each channel.

    Args:
        frequency_initializer: Initializer of `a`.
        frequency_regularizer: Regularizer of `a`, or None.
        frequency_constraint: Constraint on `a`, or None.
        axis: Axis of the channels with an `a` each, an integer in (-inf, inf), or None for one `a`.

    Shapes:
        Input `(batch, ...)`, output the same. The size of `axis` must be known.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is computed in float32.
        With `a = 0` it is the identity. A mask is passed on.

    Example:
        >>> y = Snake()(keras.ops.convert_to_tensor([[1.0, -2.0]]))
        >>> print(keras.ops.convert_to_numpy(y).round(4))
        [[ 1.7081 -1.1732]]
    """

    def __init__(
        self,
        frequency_initializer: KerasObject = "ones",
        frequency_regularizer: KerasObject | None = None,
        frequency_constraint: KerasObject | None = None,
        axis: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.frequency_initializer = checks.initializer(
            self, "frequency_initializer", frequency_initializer
        )
        self.frequency_regularizer = checks.regularizer(
            self, "frequency_regularizer", frequency_regularizer
        )
        self.frequency_constraint = checks.constraint(
            self, "frequency_constraint", frequency_constraint
        )
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)", optional=True)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self._shape = ()
        if self.axis is not None:
            self._shape = checks.channels_shape(self, input_shape, self.axis)
            axes = {self.axis: self._shape[0]}
            self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes=axes)
        self.frequency = self.add_weight(
            self._shape[:1],
            self.frequency_initializer,
            regularizer=self.frequency_regularizer,
            constraint=self.frequency_constraint,
            autocast=False,
            name="frequency",
        )

    def call(self, x: Tensor) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        a = ops.reshape(self.frequency, self._shape)
        wide = ops.cast(x, keras.backend.result_type(x.dtype, a.dtype))
        ripple = ops.square(ops.sin(a * wide)) / ops.where(a == 0, 1.0, a)
        return ops.cast(wide + ripple, x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
