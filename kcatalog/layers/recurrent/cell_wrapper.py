"""The base of cells around another cell."""

import inspect
from typing import Any

import keras
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from kcatalog import checks
from kcatalog.types import Shape, Tensor


class CellWrapper(DropoutRNNCell, keras.layers.Layer):
    """Base of cells around another cell, whose states, sizes and dropout are theirs too.

    Args:
        cell: The cell, such as `keras.layers.GRUCell(8)`.

    Shapes:
        Those of the cell.

    Behaviour:
        The cell acts as it does alone, its dropout and dtype included.
    """

    def __init__(self, cell: keras.layers.Layer, **kwargs: Any):
        policy = getattr(cell, "dtype_policy", None)
        super().__init__(**{"dtype": policy, "autocast": False, **kwargs})
        rule, fix = "a recurrent cell", "For example: keras.layers.GRUCell(8)."
        checks.instance(self, "cell", cell, keras.layers.Layer, rule, fix)
        if isinstance(cell, keras.layers.RNN) or not hasattr(cell, "state_size"):
            raise checks.error(self, "cell", rule, cell, fix)
        self.cell = cell
        self.supports_masking = True

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> int:
        first = keras.tree.flatten(self.cell.state_size)[0]
        return getattr(self.cell, "output_size", None) or first

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        """Return the cell's first states."""
        if hasattr(self.cell, "get_initial_state"):
            return self.cell.get_initial_state(batch_size=batch_size)
        sizes = keras.tree.flatten(self.state_size)
        return [keras.ops.zeros((batch_size, n), self.compute_dtype) for n in sizes]

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 2, "(batch, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: features})
        if not self.cell.built:
            self.cell.build(input_shape)
            self.cell.built = True

    def run_cell(
        self, x: Tensor, states: list[Tensor], training: bool | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the cell's output and its new states, as a list."""
        x, states = self.cast((x, list(states)), self.cell.compute_dtype)
        y, new = self.cell(x, states, **self._mode(training))
        return y, list(new) if keras.tree.is_nested(new) else [new]

    def _mode(self, training):
        takes = "training" in inspect.signature(self.cell.call).parameters
        return {"training": training} if takes else {}

    def cast(self, tensors: Tensor, dtype: str | None = None) -> Any:
        """Return tensors in a dtype, by default that of this layer."""
        dtype = dtype or self.compute_dtype
        return keras.tree.map_structure(lambda t: keras.ops.cast(t, dtype), tensors)

    # keras.layers.RNN has cells draw their dropout masks before the first step

    def get_dropout_mask(self, step_input: Tensor) -> Tensor | None:
        if isinstance(self.cell, DropoutRNNCell):
            return self.cell.get_dropout_mask(step_input)
        return None

    def get_recurrent_dropout_mask(self, step_input: Tensor) -> Tensor | None:
        if isinstance(self.cell, DropoutRNNCell):
            return self.cell.get_recurrent_dropout_mask(step_input)
        return None

    def reset_dropout_mask(self) -> None:
        if isinstance(self.cell, DropoutRNNCell):
            self.cell.reset_dropout_mask()

    def reset_recurrent_dropout_mask(self) -> None:
        if isinstance(self.cell, DropoutRNNCell):
            self.cell.reset_recurrent_dropout_mask()
