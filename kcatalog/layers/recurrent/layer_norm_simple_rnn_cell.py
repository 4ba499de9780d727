from typing import Any

from keras import ops

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.normalized_cell import NormalizedOptions, standardized
from kcatalog.layers.recurrent.recurrent_cell import RecurrentCell
from kcatalog.layers.recurrent.recurrent_options import SimpleOptions
from kcatalog.registry import component
from kcatalog.types import Tensor


class LayerNormSimpleRNNOptions(SimpleOptions, NormalizedOptions):
    """Arguments of the layer-normalized simple RNN."""


@component(
    paper=Paper(
        "Layer Normalization",
        "Ba, Kiros, Hinton",
        2016,
        "https://arxiv.org/abs/1607.06450",
        "equation 4",
    ),
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "recurrent_dropout": Float(0.0, 0.5)},
    example=Example({"units": 4, "epsilon": 1e-5}, shape=(5, 3)),
)
class LayerNormSimpleRNNCell(LayerNormSimpleRNNOptions, RecurrentCell):
    """One step of a layer-normalized simple RNN, to be run by `keras.layers.RNN`.

    The sum of input and state is standardized at each step, so that the state neither dies nor
    saturates however long the sequence. For long memory take `LayerNormGRUCell` or
    `LayerNormLSTMCell`, which have gates; for whole sequences, `LayerNormSimpleRNN`.

    Maths:
        `h' = φ(γ (a - mean(a)) / √(var(a) + epsilon) + b)`, with `a = W x + U h` and moments
        over its `units`; `φ` = `activation`.

    Example:
        Standardized, 0 and 4 are -1 and 1:

        >>> cell = LayerNormSimpleRNNCell(2, activation=None, kernel_initializer="identity")
        >>> h, _ = cell(ops.array([[0.0, 4.0]]), [ops.zeros((1, 2))])
        >>> print(ops.convert_to_numpy(h).round(3))
        [[-1.  1.]]
    """

    def add_weights(self, features: int) -> None:
        super().add_weights(features)
        self._γ = self.add_weight((self.units,), self.gamma_initializer, name="gamma")

    def tensors(self) -> Any:
        p = super().tensors()
        p.γ = self.cast(self._γ)
        return p

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        (h,) = states
        a = ops.matmul(x, p.W) + ops.matmul(p.drop(h), p.U)
        h = self.activation(p.γ * standardized(a, self.epsilon) + p.b)
        return h, [h]
