from typing import Any

import keras

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "GLU Variants Improve Transformer",
        "Shazeer",
        2020,
        "https://arxiv.org/abs/2002.05202",
        "equations 5 and 6",
    ),
    tags=("shape-preserving", "random", "masking"),
    space={
        "hidden_dim": Int(16, 1024, log=True),
        "activation": Choice("silu", "gelu", "sigmoid"),
        "dropout": Float(0.0, 0.5),
    },
    example=Example({"hidden_dim": 6, "use_bias": True, "dropout": 0.5}, shape=(5, 4)),
)
class GatedFeedForward(keras.layers.Layer):
    """Gated feed-forward layer (SwiGLU, GEGLU, GLU): a hidden layer scaled by a learned gate.

    The feed-forward half of current Transformers, in place of `Dense, relu, Dense`. It has three
    kernels instead of two, so `hidden_dim` is usually 2/3 of what it would be, for instance
    `8/3 features` instead of `4 features`.

    Maths:
        `y = W₂ (φ(W x) · V x)`, with `φ` = `activation`: `"silu"` makes it SwiGLU, `"gelu"` GEGLU,
        `"relu"` ReGLU, `"sigmoid"` the GLU of Dauphin et al. 2016, and None the bilinear layer.

    Args:
        hidden_dim: Number of hidden units, an integer in [1, inf).
        activation: `φ`, a Keras activation by name, a function, or None.
        dropout: Probability that a hidden unit is dropped, a number in [0, 1).
        use_bias: Whether `W`, `V` and `W₂` have biases; in the paper they have none.
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        kernel_regularizer: Regularizer of the kernels, or None.
        bias_regularizer: Regularizer of the biases, or None.
        kernel_constraint: Constraint on the kernels, or None.
        bias_constraint: Constraint on the biases, or None.
        seed: An integer in [0, inf), or None.

    Shapes:
        Input `(batch, ..., features)`, output the same.

    Behaviour:
        Hidden units are dropped in training only. Each step is computed by itself; a mask is
        passed on. `W`, `V` and `W₂` are the `keras.layers.Dense` called `gate`, `up` and `down`,
        so that quantization and LoRA find them.

    Example:
        With identity kernels and no activation it squares:

        >>> layer = GatedFeedForward(2, activation=None, kernel_initializer="identity")
        >>> print(keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor([[3.0, -2.0]]))))
        [[9. 4.]]
    """

    def __init__(
        self,
        hidden_dim: int,
        activation: KerasObject = "silu",
        dropout: float = 0.0,
        use_bias: bool = False,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = checks.integer(self, "hidden_dim", hidden_dim, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.dropout = checks.number(self, "dropout", dropout, "[0, 1)")
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._drop = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            axes = "(batch, ..., features), two axes or more"
            raise checks.error(self, "input_shape", axes, tuple(input_shape))
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: features})
        hidden = (*input_shape[:-1], self.hidden_dim)
        self._gate = self._dense(self.hidden_dim, input_shape, "gate", self.activation)
        self._up = self._dense(self.hidden_dim, input_shape, "up")
        self._down = self._dense(features, hidden, "down")

    def _dense(self, units, input_shape, name, activation=None):
        """Build one of the three dense layers, its initializers drawing anew."""
        layer = keras.layers.Dense(
            units,
            activation=activation,
            use_bias=self.use_bias,
            kernel_initializer=redrawn(self.kernel_initializer),
            bias_initializer=redrawn(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build(input_shape)
        return layer

    def call(self, x: Tensor, training: bool | None = False) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        h = self._gate(x) * self._up(x)
        return self._down(self._drop(h, training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
