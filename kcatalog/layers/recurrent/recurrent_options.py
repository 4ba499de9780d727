"""The arguments that recurrent layers and their cells share, each stated once."""

from typing import Any

import keras

from kcatalog import checks
from kcatalog.types import KerasObject, Shape, Tensor


class DropoutOptions:
    """Base of all recurrent cells and layers with dropout.

    Args:
        dropout: Probability to drop a feature of `x`, a number in [0, 1).
        recurrent_dropout: Probability to drop a unit of `h` before `U`, a number in [0, 1).
        seed: Seed of both, an integer in [0, inf), or None.
    """

    def __init__(
        self,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.dropout = checks.number(self, "dropout", dropout, "[0, 1)")
        self.recurrent_dropout = checks.number(
            self, "recurrent_dropout", recurrent_dropout, "[0, 1)"
        )
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)


class WeightOptions(DropoutOptions):
    """Base of cells and layers with the weights that Keras's own have.

    Args:
        units: Width of the output, an integer in [1, inf).
        use_bias: Whether there is the bias `b`.
        kernel_initializer: Initializer of `W`.
        recurrent_initializer: Initializer of `U`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `W`, or None.
        recurrent_regularizer: Regularizer of `U`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `W`, or None.
        recurrent_constraint: Constraint on `U`, or None.
        bias_constraint: Constraint on `b`, or None.
    """

    def __init__(
        self,
        units: int,
        *,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        recurrent_initializer: KerasObject = "orthogonal",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        recurrent_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        recurrent_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.recurrent_initializer = checks.initializer(
            self, "recurrent_initializer", recurrent_initializer
        )
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.recurrent_regularizer = checks.regularizer(
            self, "recurrent_regularizer", recurrent_regularizer
        )
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.recurrent_constraint = checks.constraint(
            self, "recurrent_constraint", recurrent_constraint
        )
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)


class SimpleOptions(WeightOptions):
    """Base of cells and layers without gates.

    Args:
        activation: `φ`, a Keras activation by name, a function, or None for the identity.
    """

    def __init__(self, units: int, activation: KerasObject = "tanh", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.activation = checks.activation(self, "activation", activation)


class GatedOptions(WeightOptions):
    """Base of cells and layers with gates.

    Args:
        activation: `φ`, a Keras activation by name, a function, or None for the identity.
        recurrent_activation: `σ` of the gates, a Keras activation by name, or a function.
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "tanh",
        recurrent_activation: KerasObject = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        self.activation = checks.activation(self, "activation", activation)
        self.recurrent_activation = checks.activation(
            self, "recurrent_activation", recurrent_activation
        )


class LSTMOptions(GatedOptions):
    """Base of cells and layers with the gates of an LSTM.

    Args:
        bias_initializer: Initializer of `b`, such as `kcatalog.initializers.Chrono`.
        unit_forget_bias: Whether the forget gate's part of `b` starts at one, whatever
            `bias_initializer`, so that at first the cell keeps what it has.
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "tanh",
        recurrent_activation: KerasObject = "sigmoid",
        *,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(units, activation, recurrent_activation, **kwargs)
        self.unit_forget_bias = checks.boolean(self, "unit_forget_bias", unit_forget_bias)

    def draw_bias(self, shape: Shape, dtype: str | None = None) -> Tensor:
        """Draw `b` piece by piece, as Keras's LSTM does, with ones for the forget gate."""
        init, n = self.bias_initializer, (self.units,)
        if not self.unit_forget_bias:
            return init(shape, dtype)
        one = keras.ops.ones(n, dtype)
        return keras.ops.concatenate([init(n, dtype), one, init((2 * self.units,), dtype)])
