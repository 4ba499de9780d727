from typing import Any

from keras import ops

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.recurrent_cell import RecurrentCell
from kcatalog.layers.recurrent.recurrent_options import LSTMOptions
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Learning Precise Timing with LSTM Recurrent Networks",
        "Gers, Schraudolph, Schmidhuber",
        2002,
        "https://www.jmlr.org/papers/v3/gers02a.html",
        "section 3.1",
    ),
    equation="i, f = σ(z + v c),  c' = f c + i tanh(g),  o = σ(z + v c'),  h' = o tanh(c')",
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "recurrent_dropout": Float(0.0, 0.5)},
    example=Example({"units": 4}, shape=(5, 3)),
)
class PeepholeLSTMCell(LSTMOptions, RecurrentCell):
    """One step of an LSTM whose gates see the cell state, to be run by `keras.layers.RNN`.

    With peepholes the gates can time events by what the cell holds, even while the output gate
    hides it. For whole sequences take `PeepholeLSTM`. Where no precise timing is learned,
    `keras.layers.LSTM` does as well.

    Maths:
        `i, f, g, o = W x + U h + b` in quarters; `i = σ(i + vᵢ c)`, `f = σ(f + v_f c)`;
        `c' = f c + i φ(g)`; `o = σ(o + vₒ c')`; `h' = o φ(c')`, with `φ` = `activation`,
        `σ` = `recurrent_activation`.

    Args:
        kernel_initializer: Initializer of `W`, and of the peepholes `v`.

    Shapes:
        Input `(batch, features)` and states `h`, `c`, both `(batch, units)`; output
        `(batch, units)` and the two new states.

    Example:
        The forget gate is closed by what the cell holds:

        >>> cell = PeepholeLSTMCell(1, kernel_initializer="zeros", unit_forget_bias=False)
        >>> cell.build((1, 1))
        >>> W, U, b, v = cell.get_weights()
        >>> cell.set_weights([W, U, b, ops.array([[0.0], [-2.0], [0.0]])])
        >>> _, (h, c) = cell(ops.zeros((1, 1)), [ops.zeros((1, 1)), ops.ones((1, 1))])
        >>> print(ops.convert_to_numpy(c).round(4))
        [[0.1192]]
    """

    kernels = 4

    @property
    def state_size(self) -> Any:
        return [self.units, self.units]

    def add_weights(self, features: int) -> None:
        super().add_weights(features)
        self._v = self.add_weight((3, self.units), self.kernel_initializer, name="peepholes")

    def tensors(self) -> Any:
        p = super().tensors()
        p.vi, p.vf, p.vo = ops.unstack(self.cast(self._v))
        return p

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        σ, φ = self.recurrent_activation, self.activation
        z = ops.matmul(x, p.W) + ops.matmul(p.drop(h), p.U) + p.b
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = σ(f + p.vf * c) * c + σ(i + p.vi * c) * φ(g)
        h = σ(o + p.vo * c) * φ(c)
        return h, [h, c]
