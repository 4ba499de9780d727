"""The base of the layer-normalized LSTM: the arguments of its cell, which its layer has too."""

import keras

from kcatalog import checks


class NormalizedGates(keras.layers.Layer):
    """Base of `LayerNormLSTMCell` and `LayerNormLSTM`.

    Args:
        units: Width of `h` and `c`, an integer in [1, inf). With 1, `LN(c)` is constant.
        activation: `φ`, a Keras activation by name, or a function.
        recurrent_activation: `σ` of the gates, a Keras activation by name, or a function.
        use_bias: Whether the gates have the bias `b`; `LN(c)` has its own in any case.
        kernel_initializer: Initializer of `W`.
        recurrent_initializer: Initializer of `U`.
        bias_initializer: Initializer of `b`, such as `kcatalog.initializers.Chrono`.
        unit_forget_bias: Whether the forget gate's part of `b` starts at one, whatever
            `bias_initializer`, so that at first the cell keeps what it has.
        kernel_regularizer: Regularizer of `W`, or None.
        recurrent_regularizer: Regularizer of `U`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `W`, or None.
        recurrent_constraint: Constraint on `U`, or None.
        bias_constraint: Constraint on `b`, or None.
        gamma_initializer: Initializer of the scales `γ`.
        carry_normalized: Whether the next step gets `LN(c')` in place of `c'`, which is what
            TensorFlow Addons computes; the paper carries `c'`.
        epsilon: Added to the variance, a number in (0, inf).
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        gamma_initializer="ones",
        carry_normalized=False,
        epsilon=1e-3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.recurrent_activation = checks.activation(
            self, "recurrent_activation", recurrent_activation
        )
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.recurrent_initializer = checks.initializer(
            self, "recurrent_initializer", recurrent_initializer
        )
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.unit_forget_bias = checks.boolean(self, "unit_forget_bias", unit_forget_bias)
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
        self.gamma_initializer = checks.initializer(self, "gamma_initializer", gamma_initializer)
        self.carry_normalized = checks.boolean(self, "carry_normalized", carry_normalized)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
