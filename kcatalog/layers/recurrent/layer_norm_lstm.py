import inspect
from types import SimpleNamespace

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.layer_norm_lstm_cell import LayerNormLSTMCell
from kcatalog.layers.recurrent.normalized_gates import NormalizedGates
from kcatalog.registry import component

_CELL_ARGUMENTS = [n for n in inspect.signature(LayerNormLSTMCell).parameters if n != "kwargs"]


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
class LayerNormLSTM(NormalizedGates, keras.layers.RNN):
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
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        **kwargs,
    ):
        super().__init__(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            unit_forget_bias,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            gamma_initializer,
            carry_normalized,
            epsilon,
            cell=SimpleNamespace(call=None, state_size=[units, units]),  # until all is checked
            return_sequences=return_sequences,
            **kwargs,
        )
        self.dropout = checks.number(self, "dropout", dropout, "[0, 1)")
        self.recurrent_dropout = checks.number(
            self, "recurrent_dropout", recurrent_dropout, "[0, 1)"
        )
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)
        shared = {name: getattr(self, name) for name in _CELL_ARGUMENTS}
        # by its first name its weights are found in files
        self._lstm_cell = self.cell = LayerNormLSTMCell(
            **shared, dtype=self.dtype_policy, name="lstm_cell"
        )

    def build(self, sequences_shape, initial_state_shape=None):
        checks.rank(self, sequences_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, sequences_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        super().build(sequences_shape, initial_state_shape)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Take the steps, as `keras.layers.RNN` has every layer of its own do."""
        cell, sequences = self.cell, ops.cast(sequences, self.compute_dtype)
        weights = (cell._W, cell._U, cell._b, cell._γ1, cell._γ2, cell._γ3, cell._β3)
        W, U, b, γ1, γ2, γ3, β3 = (ops.cast(w, self.compute_dtype) for w in weights)
        batch, _, features = ops.shape(sequences)
        drop_x = self._drop((batch, 1, features), self.dropout, training)
        drop_h = self._drop((batch, self.units), self.recurrent_dropout, training)
        W, U = _centred(W), _centred(U)
        γW, γU, mean_square = γ1 * W, γ2 * U, _mean_square(U)

        def step(x, states):
            h, c = states
            h = self._divided(drop_h(h), mean_square)
            return cell.gated(ops.matmul(x, γW) + ops.matmul(h, γU) + b, c, γ3, β3)

        x = self._divided(drop_x(sequences), _mean_square(W))
        call = _Call(self, step)
        return keras.layers.RNN.inner_loop(call, x, initial_state, mask, training)

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
        config = super().get_config()
        cell = config.pop("cell")["config"]  # the arguments that it shares
        own = ("dropout", "recurrent_dropout", "seed")
        return {**cell, **config, **{name: getattr(self, name) for name in own}}

    @classmethod
    def from_config(cls, config):
        return cls(**config)  # RNN's own wants a cell


class _Call:
    """One call of the layer: the layer, with the step that holds this call's tensors as cell.

    The layer itself keeps nothing of a call, so that several threads may call it.
    """

    def __init__(self, layer, step):
        self._layer, self.cell = layer, step

    def __getattr__(self, name):
        return getattr(self._layer, name)


def _centred(W):
    return W - ops.mean(W, axis=-1, keepdims=True)


def _mean_square(W):
    """Return a function of `a`: the mean square of `a W`, through `W Wᵀ` where that is smaller."""
    W = ops.cast(W, keras.backend.result_type(W.dtype, "float32"))
    if W.shape[0] > W.shape[1]:
        return lambda a: ops.mean(ops.square(ops.matmul(a, W)), axis=-1, keepdims=True)
    G = ops.matmul(W, ops.transpose(W)) / W.shape[1]
    return lambda a: ops.sum(ops.matmul(a, G) * a, axis=-1, keepdims=True)
