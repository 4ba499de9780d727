from typing import Any

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.ind_rnn_cell import IndRNNCell, IndRNNOptions
from kcatalog.layers.recurrent.recurrent_layer import RecurrentLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject


@component(
    paper=Paper(
        "Independently Recurrent Neural Network (IndRNN): Building A Longer and Deeper RNN",
        "Li, Li, Cook, Zhu, Gao",
        2018,
        "https://arxiv.org/abs/1803.04831",
        "equation 4",
    ),
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "activation": "tanh", "return_sequences": True}, shape=(5, 3)),
)
class IndRNN(IndRNNOptions, RecurrentLayer):
    """An independently recurrent network over whole sequences.

    For long sequences and deep stacks: each unit sees its own past only, so that its gradient
    through time is a product of single numbers. Units mix in the next layer: stack two or more,
    with normalization between them.

    Maths:
        `h' = φ(W x + u h + b)`, with `u` a number for each unit and `φ` = `activation`.

    Example:
        >>> from keras import ops
        >>> layer = IndRNN(1, kernel_initializer="ones", recurrent_initializer="ones")
        >>> print(ops.convert_to_numpy(layer(ops.ones((1, 4, 1)))))
        [[4.]]
    """

    def __init__(self, units: int, activation: KerasObject = "relu", **kwargs: Any):
        super().__init__(units, activation, **kwargs)
        self.run(IndRNNCell)
