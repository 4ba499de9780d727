import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Int, Paper
from kcatalog.layers.recurrent.normalized_gates import NormalizedGates
from kcatalog.registry import component


@component(
    paper=Paper(
        "Layer Normalization",
        "Ba, Kiros, Hinton",
        2016,
        "https://arxiv.org/abs/1607.06450",
        "supplement, equations 20 to 22",
    ),
    equation="z = LN(W x) + LN(U h) + b,  c' = σ(f) c + σ(i) tanh(g),  h' = σ(o) tanh(LN(c'))",
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "carry_normalized": Choice(False, True)},
    example=Example({"units": 4, "carry_normalized": True}, shape=(5, 3)),
)
class LayerNormLSTMCell(NormalizedGates):
    """One step of a layer-normalized LSTM, to be run by `keras.layers.RNN`.

    The sums from input and state are normalized over the gates before they meet, and the cell
    state before it leaves, so the gates stay in their working range however long the sequence.
    For whole sequences take `LayerNormLSTM`: the same weights and results, several times
    faster, with dropout. This cell is for stacks of cells and loops of your own.

    Maths:
        `z = γ₁ x̂ + γ₂ ĥ + b`, with `x̂` and `ĥ` = `W x` and `U h`, each standardized over all
        `4 units` gates, as `(a - mean(a)) / √(var(a) + epsilon)`; `i, f, g, o = z` in quarters;
        `c' = σ(f) c + σ(i) φ(g)`; `h' = σ(o) φ(LN(c'))`, with `φ` = `activation`,
        `σ` = `recurrent_activation`.

    Shapes:
        Input `(batch, features)` and states `h`, `c`, both `(batch, units)`; output
        `(batch, units)` and the two new states.

    Behaviour:
        Training and inference are the same. Deterministic. In half precision the statistics
        are taken in float32.

    Example:
        >>> cell = LayerNormLSTMCell(
        ...     units=2, kernel_initializer="identity", recurrent_initializer="identity"
        ... )
        >>> x = keras.ops.reshape(keras.ops.arange(16, dtype="float32"), (1, 2, 8)) ** 2
        >>> h = keras.layers.RNN(cell)(x)
        >>> print(f"{keras.ops.convert_to_numpy(h)[0, 1]:.4f}")
        0.6323
    """

    @property
    def state_size(self):
        """The widths of `h` and `c`, as `keras.layers.RNN` asks a cell for them."""
        return [self.units, self.units]

    def build(self, input_shape):
        checks.rank(self, input_shape, 2, "(batch, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: features})
        units, gates, γ = self.units, 4 * self.units, self.gamma_initializer
        self._W = self.add_weight(
            (features, gates),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self._U = self.add_weight(
            (units, gates),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        # differs from the paper: β₁, β₂ and b are only ever added, so one bias holds their sum
        self._b = 0.0
        if self.use_bias:
            self._b = self.add_weight(
                (gates,),
                self._forget_one if self.unit_forget_bias else self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._γ1 = self.add_weight((gates,), γ, name="kernel_gamma")
        self._γ2 = self.add_weight((gates,), γ, name="recurrent_gamma")
        self._γ3 = self.add_weight((units,), γ, name="state_gamma")
        self._β3 = self.add_weight((units,), "zeros", name="state_beta")

    def _forget_one(self, shape, dtype=None):
        """Draw the bias piece by piece, as Keras's LSTM does, with ones for the forget gate."""
        init, units = self.bias_initializer, self.units
        one = ops.ones((units,), dtype)
        return ops.concatenate([init((units,), dtype), one, init((2 * units,), dtype)])

    def call(self, x, states):
        h, c = states
        x = self._γ1 * self._standardized(ops.matmul(x, self._W))
        h = self._γ2 * self._standardized(ops.matmul(h, self._U))
        return self.gated(x + h + self._b, c, self._γ3, self._β3)

    def gated(self, z, c, γ3, β3):
        """Compute the step's second half: output and new states from the gates' sums."""
        σ, φ = self.recurrent_activation, self.activation
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = σ(f) * c + σ(i) * φ(g)
        n = self._standardized(c) * γ3 + β3
        h = σ(o) * φ(n)
        return h, [h, n if self.carry_normalized else c]

    def _standardized(self, a):
        wide = ops.cast(a, keras.backend.result_type(a.dtype, "float32"))
        centred = wide - ops.mean(wide, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        return ops.cast(centred * ops.rsqrt(variance + self.epsilon), a.dtype)
