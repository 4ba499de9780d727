from typing import Any

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.layer_norm_lstm_cell import LayerNormLSTMCell, LayerNormLSTMOptions
from kcatalog.layers.recurrent.recurrent_layer import RecurrentLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject


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
class LayerNormLSTM(LayerNormLSTMOptions, RecurrentLayer):
    """A layer-normalized LSTM over whole sequences.

    Takes the place of `keras.layers.LSTM`, inside `keras.layers.Bidirectional` too: steadier
    on long sequences and small batches, at somewhat more time per step, and much more than
    where `keras.layers.LSTM` has a cuDNN kernel.

    Maths:
        As `LayerNormLSTMCell`, by a shorter way. With `W` centred over its `4 units` gates,
        `LN(W x) = γ W x / √(x G x + epsilon)` for `G = W Wᵀ / (4 units)`: to normalize the sums
        is to rescale `x`, and the same goes for `U` and `h`. So this is an ordinary LSTM step on
        rescaled `x` and `h`, and the loop normalizes nothing wider than `units`.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also `h` and `c`, both `(batch, units)`.

    Behaviour:
        Dropout acts in training only, with one mask for all steps of a sequence. A masked step
        keeps both states and repeats the last output. Statistics are float32 or wider. Weights
        are those of `RNN(LayerNormLSTMCell(units))`, in the same order.

    Example:
        >>> import keras
        >>> layer = LayerNormLSTM(
        ...     units=2, kernel_initializer="identity", recurrent_initializer="identity"
        ... )
        >>> x = keras.ops.reshape(keras.ops.arange(16, dtype="float32"), (1, 2, 8)) ** 2
        >>> print(f"{keras.ops.convert_to_numpy(layer(x))[0, 1]:.4f}")
        0.6323
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "tanh",
        recurrent_activation: KerasObject = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(units, activation, recurrent_activation, **kwargs)
        self.run(LayerNormLSTMCell)
        self._lstm_cell = self.cell  # by its first name its weights are found in files
