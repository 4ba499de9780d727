"""The base of recurrent cells: weights, dropout and one call; a part states its equation."""

from types import SimpleNamespace
from typing import Any

import keras
from keras import ops
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from kcatalog import checks
from kcatalog.types import Shape, Tensor


class RecurrentCell(DropoutRNNCell, keras.layers.Layer):
    """Base of recurrent cells, to be run by `keras.layers.RNN`.

    A part implements `step`, and says in `kernels` how many kernels of `units` columns stand side
    by side in `W` and `U`. Its layer runs the same `step`.

    Shapes:
        Input `(batch, features)` and state `h`, `(batch, units)`; output `(batch, units)` and
        the new state.

    Behaviour:
        Dropout acts in training only. `keras.layers.RNN` gives a cell the same mask at all steps
        of a sequence, as it does Keras's cells.
    """

    kernels = 1

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    @property
    def state_size(self) -> Any:
        """The widths of the states, as `keras.layers.RNN` asks a cell for them."""
        return [self.units]

    @property
    def output_size(self) -> int:
        return self.units

    @property
    def seed_generator(self) -> keras.random.SeedGenerator:
        """The generator with which Keras draws dropout masks."""
        return self._generator

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 2, "(batch, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: features})
        if self.dropout or self.recurrent_dropout:
            self._generator = keras.random.SeedGenerator(self.seed)
        self.add_weights(features)

    def add_weights(self, features: int) -> None:
        """Make the weights; by default `W`, `U` and `b` for all kernels."""
        width = self.kernels * self.units
        self._W = self.add_kernel("kernel", features, width)
        self._U = self.add_recurrent_kernel("recurrent_kernel", self.units, width)
        self._b = self.add_bias("bias", width)

    def add_kernel(self, name: str, *shape: Any) -> Tensor:
        return self.add_weight(
            shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name=name,
        )

    def add_recurrent_kernel(self, name: str, *shape: Any) -> Tensor:
        return self.add_weight(
            shape,
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name=name,
        )

    def add_bias(self, name: str, *shape: Any) -> Any:
        """Add a bias; without `use_bias` it is the number 0."""
        if not self.use_bias:
            return 0.0
        return self.add_weight(
            shape,
            self.draw_bias,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
            name=name,
        )

    def draw_bias(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return self.bias_initializer(shape, dtype)

    def tensors(self) -> Any:
        """Return the weights as the tensors that the steps of one call share."""
        return SimpleNamespace(W=self.cast(self._W), U=self.cast(self._U), b=self.cast(self._b))

    def sequence_tensors(self) -> Any:
        """Return the same for many steps, which may prepare more."""
        return self.tensors()

    def inputs(self, x: Tensor, p: Tensor) -> Tensor:
        """Return what the steps take from `x`, for one step or all of them."""
        return x

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the output and the new states; `p` holds tensors and `drop`, for `h`."""
        raise NotImplementedError

    def cast_step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Take a step in the cell's dtype: on JAX, `ops.matmul` rounds float64 to float32."""
        y, states = self.step(x, states, p)
        return self.cast(y), [self.cast(s) for s in states]

    def cast(self, weight: Tensor) -> Any:
        """Return a weight in the cell's dtype, which a wrapper of another policy might change."""
        return ops.cast(weight, self.compute_dtype)

    def call(self, x: Tensor, states: list[Tensor], training: bool | None = False) -> Tensor:
        x, p = self.cast(x), self.tensors()
        drop_x = self.get_dropout_mask(x) if training else None
        drop_h = self.get_recurrent_dropout_mask(states[0]) if training else None
        p.drop = (lambda h: h) if drop_h is None else (lambda h: h * drop_h)
        x = x if drop_x is None else x * drop_x
        return self.cast_step(self.inputs(x, p), states, p)
