from typing import Any

import keras
from keras import ops

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.recurrent_cell import RecurrentCell
from kcatalog.layers.recurrent.recurrent_options import SimpleOptions
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


class IndRNNOptions(SimpleOptions):
    """Arguments of the independently recurrent network.

    Args:
        recurrent_initializer: Initializer of `u`, or None for uniform numbers from 0 to 1. A layer
            of which only the last of `n` outputs is used should start near 1, as with
            `keras.initializers.RandomUniform(0.5 ** (1 / n), 1)`. The default forgets: of "relu",
            no gradient reaches inputs of mean zero that are about 100 steps back.
        recurrent_regularizer: Regularizer of `u`, or None.
        recurrent_constraint: Constraint on `u`, or None. The gradient through `n` steps cannot
            explode while every `|u|` stays below `2^(1/n)`.
        recurrent_dropout: Probability to drop a unit of `h` before `u`, a number in [0, 1).
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "relu",
        *,
        recurrent_initializer: KerasObject | None = None,
        **kwargs: Any,
    ):
        u = recurrent_initializer or keras.initializers.RandomUniform(0.0, 1.0)
        super().__init__(units, activation, recurrent_initializer=u, **kwargs)


@component(
    paper=Paper(
        "Independently Recurrent Neural Network (IndRNN): Building A Longer and Deeper RNN",
        "Li, Li, Cook, Zhu, Gao",
        2018,
        "https://arxiv.org/abs/1803.04831",
        "equation 4",
    ),
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "recurrent_dropout": Float(0.0, 0.5)},
    example=Example({"units": 4, "activation": "tanh"}, shape=(5, 3)),
)
class IndRNNCell(IndRNNOptions, RecurrentCell):
    """One step of an independently recurrent network, to be run by `keras.layers.RNN`.

    Each unit sees its own past only, so that its gradient through time is a product of single
    numbers, and many such layers can be stacked. Units mix in the next layer: use two or more,
    and for whole sequences `IndRNN`.

    Maths:
        `h' = φ(W x + u h + b)`, with `u` a number for each unit and `φ` = `activation`.

    Example:
        >>> cell = IndRNNCell(2, kernel_initializer="zeros", recurrent_initializer="ones")
        >>> h, _ = cell(ops.zeros((1, 1)), [ops.array([[3.0, -1.0]])])
        >>> print(ops.convert_to_numpy(h))
        [[3. 0.]]
    """

    def add_weights(self, features: int) -> None:
        self._W = self.add_kernel("kernel", features, self.units)
        self._U = self.add_recurrent_kernel("recurrent_kernel", self.units)
        self._b = self.add_bias("bias", self.units)

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        (h,) = states
        h = self.activation(ops.matmul(x, p.W) + p.U * p.drop(h) + p.b)
        return h, [h]
