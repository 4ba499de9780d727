from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper, Part
from kcatalog.layers.recurrent.cell_wrapper import CellWrapper
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Recurrent Highway Networks",
        "Zilly, Srivastava, Koutník, Schmidhuber",
        2017,
        "https://arxiv.org/abs/1607.03474",
        "section 3",
    ),
    equation="y = x + f(x, h), or y = t f(x, h) + (1 - t) x with t = σ(W x + b)",
    tags=("cell", "recurrent"),
    space={"mode": Choice("residual", "highway")},
    example=Example(
        {"cell": Part("keras.layers.GRUCell", units=3), "mode": "highway"}, shape=(5, 3)
    ),
)
class ResidualRecurrent(CellWrapper):
    """A residual or highway connection around a recurrent cell.

    For stacks of more than two or three recurrent layers: what a layer cannot improve passes it
    by, and the gradient with it. A cell that changes the width comes before the first of these.

    Maths:
        `y = x + f(x, h)` for the cell `f`, or, with `mode="highway"`,
        `y = t f(x, h) + (1 - t) x` with the gate `t = σ(W x + b)`. The states are the cell's.

    Args:
        cell: The cell, whose output is as wide as its input, such as `keras.layers.GRUCell(8)`.
        mode: "residual" or "highway".
        kernel_initializer: Initializer of `W`.
        bias_initializer: Initializer of `b`. Below 0 the input passes at first.

    Behaviour:
        The cell acts as it does alone, its dropout and dtype included. At a masked step
        `keras.layers.RNN` repeats the last output, but on JAX it gives the cell's first state.

    Example:
        A cell that gives 0 leaves its input:

        >>> cell = keras.layers.SimpleRNNCell(2, kernel_initializer="zeros")
        >>> y = keras.layers.RNN(ResidualRecurrent(cell))(ops.array([[[0.0, 9.0], [1.0, 2.0]]]))
        >>> print(ops.convert_to_numpy(y))
        [[1. 2.]]
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        mode: str = "residual",
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject | None = None,
        **kwargs: Any,
    ):
        super().__init__(cell, **kwargs)
        self.mode = checks.choice(self, "mode", mode, ("residual", "highway"))
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(
            self, "bias_initializer", bias_initializer or keras.initializers.Constant(-1.0)
        )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        features = input_shape[-1]
        if features != self.output_size:
            rule = f"(batch, {self.output_size}), as wide as the cell's output"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        if self.mode == "highway":
            self._W = self.add_weight(
                (features, features), self.kernel_initializer, name="gate_kernel"
            )
            self._b = self.add_weight((features,), self.bias_initializer, name="gate_bias")

    def call(self, x: Tensor, states: list[Tensor], training: bool | None = False) -> Tensor:
        x, (y, new) = self.cast(x), self.cast(self.run_cell(x, states, training))
        if self.mode == "residual":
            return x + y, new
        W, b = self.cast(self._W), self.cast(self._b)
        t = ops.sigmoid(ops.matmul(x, W) + b)
        return t * y + (1 - t) * x, new
