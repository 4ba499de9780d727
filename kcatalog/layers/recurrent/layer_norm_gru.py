from typing import Any

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.layer_norm_gru_cell import LayerNormGRUCell, LayerNormGRUOptions
from kcatalog.layers.recurrent.recurrent_layer import RecurrentLayer
from kcatalog.registry import component
from kcatalog.types import KerasObject


@component(
    paper=Paper(
        "Layer Normalization",
        "Ba, Kiros, Hinton",
        2016,
        "https://arxiv.org/abs/1607.06450",
        "supplement, equations 23 to 26",
    ),
    equation="z, r = σ(LN(W x) + LN(U h)),  h' = z h + (1 - z) tanh(LN(W x) + r LN(U h))",
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "epsilon": 1e-5, "return_sequences": True}, shape=(5, 3)),
)
class LayerNormGRU(LayerNormGRUOptions, RecurrentLayer):
    """A layer-normalized GRU over whole sequences.

    Takes the place of `keras.layers.GRU`, inside `keras.layers.Bidirectional` too: steadier on
    long sequences and small batches, at somewhat more time per step, and much more than where
    `keras.layers.GRU` has a cuDNN kernel.

    Maths:
        As `LayerNormGRUCell`: `h' = z h + (1 - z) φ(a₃ + r s₃)`, with normalized sums `a` of the
        input and `s` of the state. What is normalized is `x` and `h`, as in `LayerNormLSTM`.

    Args:
        use_bias: Whether there are the biases `b` and `d`, of input and state.
        bias_initializer: Initializer of `b` and `d`.
        bias_regularizer: Regularizer of `b` and `d`, or None.
        bias_constraint: Constraint on `b` and `d`, or None.

    Example:
        Without input and bias the gates are 0.5 and the candidate is φ(0.5 ĥ), where ĥ is -1, 1:

        >>> from keras import ops
        >>> import keras
        >>> first = keras.initializers.Constant([[0, 0, 0, 0, 1, -1], [0, 0, 0, 0, -1, 1]])
        >>> layer = LayerNormGRU(2, recurrent_initializer=first, epsilon=1e-9)
        >>> h = layer(ops.zeros((1, 1, 1)), initial_state=[ops.array([[0.0, 1.0]])])
        >>> print(ops.convert_to_numpy(h).round(3))
        [[-0.35  0.85]]
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "tanh",
        recurrent_activation: KerasObject = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(units, activation, recurrent_activation, **kwargs)
        self.run(LayerNormGRUCell)
