from typing import Any

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.layer_norm_simple_rnn_cell import (
    LayerNormSimpleRNNCell,
    LayerNormSimpleRNNOptions,
)
from kcatalog.layers.recurrent.recurrent_layer import RecurrentLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject


@component(
    paper=Paper(
        "Layer Normalization",
        "Ba, Kiros, Hinton",
        2016,
        "https://arxiv.org/abs/1607.06450",
        "equation 4",
    ),
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "epsilon": 1e-5, "return_sequences": True}, shape=(5, 3)),
)
class LayerNormSimpleRNN(LayerNormSimpleRNNOptions, RecurrentLayer):
    """A layer-normalized simple RNN over whole sequences.

    Takes the place of `keras.layers.SimpleRNN` where that one's states die or saturate. For long
    memory take `LayerNormGRU` or `LayerNormLSTM`, which have gates.

    Maths:
        `h' = φ(γ (a - mean(a)) / √(var(a) + epsilon) + b)`, with `a = W x + U h` and moments
        over its `units`; `φ` = `activation`.

    Example:
        Standardized, 0 and 4 are -1 and 1:

        >>> from keras import ops
        >>> layer = LayerNormSimpleRNN(2, activation=None, kernel_initializer="identity")
        >>> print(ops.convert_to_numpy(layer(ops.array([[[0.0, 4.0]]]))).round(3))
        [[-1.  1.]]
    """

    def __init__(self, units: int, activation: KerasObject = "tanh", **kwargs: Any):
        super().__init__(units, activation, **kwargs)
        self.run(LayerNormSimpleRNNCell)
