from typing import Any

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.peephole_lstm_cell import PeepholeLSTMCell
from kcatalog.layers.recurrent.recurrent_layer import RecurrentLayer
from kcatalog.layers.recurrent.recurrent_options import LSTMOptions
from kcatalog.registry import component
from kcatalog.types import KerasObject


@component(
    paper=Paper(
        "Learning Precise Timing with LSTM Recurrent Networks",
        "Gers, Schraudolph, Schmidhuber",
        2002,
        "https://www.jmlr.org/papers/v3/gers02a.html",
        "section 3.1",
    ),
    equation="i, f = σ(z + v c),  c' = f c + i tanh(g),  o = σ(z + v c'),  h' = o tanh(c')",
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "return_sequences": True}, shape=(5, 3)),
)
class PeepholeLSTM(LSTMOptions, RecurrentLayer):
    """An LSTM whose gates see the cell state, over whole sequences.

    For rhythms and intervals: what has to happen a certain number of steps after an event. It
    takes the place of `keras.layers.LSTM`, without that layer's cuDNN kernel. Where no precise
    timing is learned, `keras.layers.LSTM` does as well.

    Maths:
        As `PeepholeLSTMCell`: `i = σ(z + vᵢ c)`, `f = σ(z + v_f c)`, `o = σ(z + vₒ c')`, each
        with its own quarter of `z = W x + U h + b`.

    Args:
        kernel_initializer: Initializer of `W`, and of the peepholes `v`.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also `h` and `c`, both `(batch, units)`.

    Example:
        With the weights of an LSTM and peepholes of zero it is that LSTM:

        >>> from keras import ops
        >>> import keras
        >>> lstm, layer = keras.layers.LSTM(2), PeepholeLSTM(2)
        >>> x = ops.reshape(ops.arange(6, dtype="float32"), (1, 2, 3))
        >>> y, _ = lstm(x), layer(x)
        >>> layer.set_weights([*lstm.get_weights(), ops.zeros((3, 2))])
        >>> print(ops.convert_to_numpy(ops.max(ops.abs(y - layer(x)))) < 1e-6)
        True
        >>> layer.set_weights([*lstm.get_weights(), ops.ones((3, 2))])
        >>> print(ops.convert_to_numpy(ops.max(ops.abs(y - layer(x)))) < 1e-6)
        False
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "tanh",
        recurrent_activation: KerasObject = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(units, activation, recurrent_activation, **kwargs)
        self.run(PeepholeLSTMCell)
