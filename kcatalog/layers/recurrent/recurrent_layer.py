"""The base of recurrent layers: a cell's equation over whole sequences."""

from types import SimpleNamespace
from typing import Any, Self

import keras
from keras import ops

from kcatalog import checks, derive
from kcatalog.types import Shape, Tensor


class RecurrentLayer(keras.layers.RNN):
    """Base of layers that run a cell. Their constructor ends with `self.run(cell class)`.

    Args:
        return_sequences: Whether the output has every step or only the last. `return_state`,
            `go_backwards`, `stateful`, `unroll` and the like are passed on to
            `keras.layers.RNN`.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also the last state, `(batch, units)`.

    Behaviour:
        Dropout acts in training only, with one mask for all steps of a sequence. A masked step
        keeps the states and repeats the last output. Weights are those of `RNN` around the cell,
        in the same order.
    """

    def __init__(self, return_sequences: bool = False, **kwargs: Any):
        until_all_is_checked = SimpleNamespace(call=None, state_size=[1])
        super().__init__(until_all_is_checked, return_sequences=return_sequences, **kwargs)

    def run(self, cell: Any) -> None:
        """Make a cell of the layer's arguments, all but dropout, which the layer does."""
        own = set(derive.arguments(cell)) - {"dropout", "recurrent_dropout", "seed"}
        shared = {name: getattr(self, name) for name in own}
        self.cell = cell(**shared, dtype=self.dtype_policy, name="cell")
        self.state_size = list(self.cell.state_size)
        self._seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, sequences_shape: Shape, initial_state_shape: Shape | None = None) -> None:
        checks.rank(self, sequences_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, sequences_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        super().build(sequences_shape, initial_state_shape)

    def inner_loop(
        self, sequences: Tensor, initial_state: Any, mask: Tensor, training: bool | None = False
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Take the steps, as `keras.layers.RNN` has every layer of its own do."""
        x, p = ops.cast(sequences, self.compute_dtype), self.cell.sequence_tensors()
        batch, _, features = ops.shape(x)
        p.drop = self._drop((batch, initial_state[0].shape[-1]), self.recurrent_dropout, training)
        x = self.cell.inputs(self._drop((batch, 1, features), self.dropout, training)(x), p)
        call = _Call(self, lambda x, states: self.cell.cast_step(x, states, p))
        return keras.layers.RNN.inner_loop(call, x, initial_state, mask, training)

    def _drop(self, shape, rate, training):
        """Dropout with one mask for every tensor that it is given."""
        if not training or rate == 0:
            return lambda a: a
        ones = ops.ones(shape, self.compute_dtype)
        kept = keras.random.dropout(ones, rate, seed=self._seed_generator)
        return lambda a: a * kept

    def get_config(self) -> dict[str, Any]:
        names = "return_sequences return_state go_backwards stateful unroll zero_output_for_mask"
        config = keras.layers.Layer.get_config(self)  # RNN's own has the cell
        return {**config, **{name: getattr(self, name) for name in names.split()}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)  # RNN's own wants a cell


class _Call:
    """One call of the layer: the layer, with the step that holds this call's tensors as cell.

    The layer itself keeps nothing of a call, so that several threads may call it.
    """

    def __init__(self, layer, step):
        self._layer, self.cell = layer, step

    def __getattr__(self, name):
        return getattr(self._layer, name)
