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
        "Scalable Diffusion Models with Transformers",
        "Peebles, Xie",
        2022,
        "https://arxiv.org/abs/2212.09748",
        "section 3.2, adaLN block",
    ),
    tags=("masking",),
    space={"kernel_initializer": Choice("zeros", "glorot_uniform")},
    example=Example({"kernel_initializer": "glorot_uniform"}, shape=((5, 4), (3,))),
)
class AdaptiveLayerNormalization(keras.layers.Layer):
    """Adaptive layer normalization (adaLN): scale and shift are computed from a condition.

    For networks whose every layer shall know something of the whole sample, such as the time step
    and the class in diffusion transformers. It starts as plain layer normalization, since the
    projection starts at zero. Without a condition take `keras.layers.LayerNormalization`.

    Maths:
        `y = LN(x) (1 + γ) + β` with `γ, β = W φ(c) + b` in halves, `c` = the condition,
        `φ` = `activation` and `LN(x) = (x - mean(x)) / √(var(x) + ε)` over the last axis, where
        `ε` = `epsilon`.

    Args:
        epsilon: `ε`, a number in (0, inf).
        activation: `φ`, a Keras activation by name, or a function.
        kernel_initializer: Initializer of `W`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `W`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `W`, or None.
        bias_constraint: Constraint on `b`, or None.

    Shapes:
        Called with two tensors, `x` `(batch, ..., features)` and `condition` `(batch, size)`, or
        `(batch, ..., size)` with the axes of `x`; output as `x`. `features` and `size` must be
        known.

    Behaviour:
        Training and inference are the same. Deterministic. Statistics are float32 or wider. The
        mask of `x` is passed on.

    Example:
        At the start the condition does nothing:

        >>> x = keras.ops.convert_to_tensor([[1.0, 3.0]])
        >>> y = AdaptiveLayerNormalization()(x, keras.ops.ones((1, 5)))
        >>> print(keras.ops.convert_to_numpy(y).round(4))
        [[-1.  1.]]
    """

    def __init__(
        self,
        epsilon: float = 1e-6,
        activation: KerasObject = "silu",
        kernel_initializer: KerasObject = "zeros",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)
        self.supports_masking = True

    def build(self, x_shape: Shape, condition_shape: Shape) -> None:
        features = checks.channels_shape(self, x_shape, -1)[0]
        if len(condition_shape) not in (2, len(x_shape)):
            rule = f"(batch, size), or of {len(x_shape)} axes as that of `x`"
            raise checks.error(self, "condition_shape", rule, tuple(condition_shape))
        size = checks.known_axis(self, condition_shape, -1, "size of the condition")
        self.input_spec = keras.layers.InputSpec(ndim=len(x_shape), axes={-1: features})
        self._W = self.add_weight(
            (size, 2 * features),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self._b = self.add_weight(
            (2 * features,),
            self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
            name="bias",
        )

    def call(self, x: Tensor, condition: Tensor) -> Tensor:
        x, c = (as_floats(a, self.compute_dtype) for a in (x, condition))
        modulation = ops.matmul(self.activation(c), self._W) + self._b
        while len(modulation.shape) < len(x.shape):
            modulation = ops.expand_dims(modulation, 1)
        γ, β = ops.split(modulation, 2, axis=-1)
        wide = at_least_float32(x)
        centered = wide - ops.mean(wide, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
        normal = ops.cast(centered * ops.rsqrt(variance + self.epsilon), x.dtype)
        return normal * (1 + γ) + β

    def compute_output_shape(self, x_shape: Shape, condition_shape: Shape) -> Shape:
        return x_shape
