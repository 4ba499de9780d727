import inspect

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.layer_norm_lstm_cell import LayerNormLSTMCell
from kcatalog.registry import component

_CELL_ARGUMENTS = [n for n in inspect.signature(LayerNormLSTMCell).parameters if n != "kwargs"]
_OTHER_ARGUMENTS = (
    *("dropout", "recurrent_dropout", "seed", "return_sequences", "return_state"),
    *("go_backwards", "stateful", "unroll", "zero_output_for_mask"),
)


@component(
    paper=Paper(
        "Layer Normalization", "Ba, Kiros, Hinton", 2016, "https://arxiv.org/abs/1607.06450"
    ),
    equation="z = LN(W x) + LN(U h) + b,  c' = σ(f) c + σ(i) tanh(g),  h' = σ(o) tanh(LN(c'))",
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "return_sequences": True}, shape=(5, 3)),
)
class LayerNormLSTM(keras.layers.RNN):
    """A layer-normalized LSTM over whole sequences.

    Takes the place of `keras.layers.LSTM`, inside `keras.layers.Bidirectional` too: steadier
    on long sequences and small batches, at somewhat more time per step, and much more than
    where `keras.layers.LSTM` has a cuDNN kernel.

    Maths:
        As `LayerNormLSTMCell`, by a shorter way. With `W` centred over its `4 units` gates,
        `LN(W x) = γ W x / √(x G x + epsilon)` for `G = W Wᵀ / (4 units)`: to normalize the sums
        is to rescale `x`, and the same goes for `U` and `h`. So this is an ordinary LSTM step on
        rescaled `x` and `h`, and the loop normalizes nothing wider than `units`.

    Args:
        units: Width of `h` and `c`, an integer in [1, inf). With 1, `LN(c)` is constant.
        activation: `φ`, a Keras activation by name, or a function.
        recurrent_activation: `σ` of the gates, a Keras activation by name, or a function.
        kernel_initializer: Initializer of `W`.
        recurrent_initializer: Initializer of `U`.
        gamma_initializer: Initializer of the scales `γ`.
        kernel_regularizer: Regularizer of `W`, or None.
        recurrent_regularizer: Regularizer of `U`, or None.
        carry_normalized: Whether the next step gets `LN(c')` in place of `c'`, which is what
            TensorFlow Addons computes; the paper carries `c'`.
        epsilon: Added to the variance, a number in (0, inf).
        dropout: Probability to drop a feature of `x`, a number in [0, 1).
        recurrent_dropout: Probability to drop a unit of `h` before `U`, a number in [0, 1).
        seed: Seed of both, an integer in [0, inf), or None.
        return_sequences: Whether the output has every step or only the last. `return_state`,
            `go_backwards`, `stateful` and the like are passed on to `keras.layers.RNN`.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also `h` and `c`, both `(batch, units)`.

    Behaviour:
        Dropout acts in training only, with one mask for all steps of a sequence. A masked step
        keeps both states and repeats the last output. Statistics are float32 or wider. Weights
        are those of `RNN(LayerNormLSTMCell(units))`, in the same order.

    Example:
        >>> layer = LayerNormLSTM(
        ...     units=2, kernel_initializer="identity", recurrent_initializer="identity"
        ... )
        >>> x = keras.ops.reshape(keras.ops.arange(16, dtype="float32"), (1, 2, 8)) ** 2
        >>> print(f"{keras.ops.convert_to_numpy(layer(x))[0, 1]:.4f}")
        0.6323
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        gamma_initializer="ones",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        carry_normalized=False,
        epsilon=1e-3,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        **kwargs,
    ):
        super().__init__(_Recurrence(units), return_sequences=return_sequences, **kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.recurrent_activation = checks.activation(
            self, "recurrent_activation", recurrent_activation
        )
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.recurrent_initializer = checks.initializer(
            self, "recurrent_initializer", recurrent_initializer
        )
        self.gamma_initializer = checks.initializer(self, "gamma_initializer", gamma_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.recurrent_regularizer = checks.regularizer(
            self, "recurrent_regularizer", recurrent_regularizer
        )
        self.carry_normalized = checks.boolean(self, "carry_normalized", carry_normalized)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.dropout = checks.number(self, "dropout", dropout, "[0, 1)")
        self.recurrent_dropout = checks.number(
            self, "recurrent_dropout", recurrent_dropout, "[0, 1)"
        )
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)
        shared = {name: getattr(self, name) for name in _CELL_ARGUMENTS}
        self._lstm_cell = LayerNormLSTMCell(**shared, dtype=self.dtype_policy)

    def build(self, sequences_shape, initial_state_shape=None):
        checks.rank(self, sequences_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, sequences_shape, -1, "features")
        self._lstm_cell.build((sequences_shape[0], features))
        self.cell.compute_dtype = self.compute_dtype
        super().build(sequences_shape, initial_state_shape)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        batch, _, features = ops.shape(sequences)
        drop_x = self._drop((batch, 1, features), self.dropout, training)
        drop_h = self._drop((batch, self.units), self.recurrent_dropout, training)
        cell, b = self._lstm_cell, ops.convert_to_tensor(self._lstm_cell._b)
        W, U = _centred(cell._W), _centred(cell._U)
        γW, γU, mean_square = cell._γ1 * W, cell._γ2 * U, _mean_square(U)

        def step(x, states):
            h, c = states
            h = self._divided(drop_h(h), mean_square)
            return cell.gated(ops.matmul(x, γW) + ops.matmul(h, γU) + b, c)

        self.cell.step = step
        x = self._divided(drop_x(sequences), _mean_square(W))
        output = super().call(x, initial_state=initial_state, mask=mask, training=training)
        self.cell.step = None  # it holds tensors of this call
        return output

    def _divided(self, a, mean_square):
        """Return `a / √(mean square of W a + epsilon)`."""
        wide = ops.cast(a, keras.backend.result_type(a.dtype, "float32"))
        return ops.cast(wide * ops.rsqrt(mean_square(wide) + self.epsilon), a.dtype)

    def _drop(self, shape, rate, training):
        """Dropout with one mask for every tensor that it is given."""
        if not training or rate == 0:
            return lambda a: a
        ones = ops.ones(shape, self.compute_dtype)
        kept = keras.random.dropout(ones, rate, seed=self._seed_generator)
        return lambda a: a * kept

    def get_config(self):
        return {
            **self._lstm_cell.get_config(),
            **keras.layers.Layer.get_config(self),  # RNN's own would hold the cell
            **{name: getattr(self, name) for name in _OTHER_ARGUMENTS},
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)  # RNN's own wants a cell


class _Recurrence:
    """A function that takes one step, as `keras.layers.RNN` wants to see a cell."""

    def __init__(self, units):
        self.state_size, self.step = [units, units], None

    def call(self, x, states):
        return self.step(x, states)

    __call__ = call


def _centred(W):
    return W - ops.mean(W, axis=-1, keepdims=True)


def _mean_square(W):
    """Return a function of `a`: the mean square of `a W`, through `W Wᵀ` where that is smaller."""
    W = ops.cast(W, keras.backend.result_type(W.dtype, "float32"))
    if W.shape[0] > W.shape[1]:
        return lambda a: ops.mean(ops.square(ops.matmul(a, W)), axis=-1, keepdims=True)
    G = ops.matmul(W, ops.transpose(W)) / W.shape[1]
    return lambda a: ops.sum(ops.matmul(a, G) * a, axis=-1, keepdims=True)
