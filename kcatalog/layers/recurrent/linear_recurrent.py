"""The base of recurrent layers whose gates see the input alone: a linear recurrence.

All gates are computed at once, as a dense layer would. What is left for the steps is
`h[t] = a[t] h[t-1] + b[t]`, without a matrix product (`kcatalog.ops.linear_recurrence`).
"""

from types import SimpleNamespace
from typing import Any, Self

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.recurrent.recurrent_options import DropoutOptions
from kcatalog.ops.linear_recurrence import linear_recurrence
from kcatalog.types import KerasObject, Shape, Tensor


class LinearRecurrent(DropoutOptions, keras.layers.RNN):
    """Base of `MinGRU`, `MinLSTM`, `SRU`, `QRNN` and `LRU`.

    A part implements `gates` and, where the output is not `h`, `output`. It sets `kernels`, how
    many kernels of `units` columns stand side by side in `W`, or makes weights of its own.

    Args:
        units: Width of state and output, an integer in [1, inf).
        activation: `φ`, a Keras activation by name, a function, or None for the identity.
        use_bias: Whether there is the bias `b`.
        kernel_initializer: Initializer of `W`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `W`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        kernel_constraint: Constraint on `W`, or None.
        bias_constraint: Constraint on `b`, or None.
        recurrent_dropout: Probability that a unit takes in nothing new, a number in [0, 1). It
            still keeps what it has: to drop the state itself would be to forget it.
        return_sequences: Whether the output has every step or only the last. `return_state`,
            `go_backwards`, `stateful` and the like are passed on to `keras.layers.RNN`; `unroll`
            changes nothing.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also the state, `(batch, units)`.

    Behaviour:
        Dropout acts in training only, with one mask for all steps of a sequence. A masked step
        keeps the state and repeats the last output. The recurrence is computed in float32 or
        wider. All steps at once or one by one, with the state handed on, give the same.
    """

    kernels = 2

    def __init__(
        self,
        units: int,
        activation: KerasObject | None = None,
        *,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        return_sequences: bool = False,
        **kwargs: Any,
    ):
        # keras.layers.RNN asks its cell for sizes and dtype; there is nothing for it to step
        cell = SimpleNamespace(call=None, state_size=[units], output_size=units)
        super().__init__(cell=cell, return_sequences=return_sequences, **kwargs)
        cell.compute_dtype = self.compute_dtype
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)
        self._seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, sequences_shape: Shape, initial_state_shape: Shape | None = None) -> None:
        checks.rank(self, sequences_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, sequences_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        self.add_weights(features)
        super().build(sequences_shape, initial_state_shape)

    def add_weights(self, features: int) -> None:
        """Make the weights; by default one kernel and one bias for all gates."""
        self._W = self._kernel("kernel", features, self.kernels * self.units)
        self._b = self._bias(self.kernels * self.units)

    def _kernel(self, name, *shape, scale=1.0):
        return self.add_weight(
            shape,
            lambda shape, dtype=None: scale * self.kernel_initializer(shape, dtype),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name=name,
        )

    def _bias(self, size, initializer=None):
        if not self.use_bias:
            return 0.0
        return self.add_weight(
            (size,),
            initializer or self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
            name="bias",
        )

    def project(self, x: Tensor) -> Any:
        """Return `W x + b`, split into its `kernels`."""
        return ops.split(self.matmul(x, self._W) + self._cast(self._b), self.kernels, axis=-1)

    def matmul(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Return `x` times a kernel, as one product of matrices: JAX takes longer for several."""
        kernel, steps = self._cast(kernel), ops.shape(x)[:-1]
        y = ops.matmul(ops.reshape(x, (-1, kernel.shape[0])), kernel)
        return ops.reshape(y, (*steps, kernel.shape[-1]))

    def _cast(self, weight):
        """Return a weight in the layer's dtype, which a wrapper of another policy might change."""
        return ops.cast(weight, self.compute_dtype)

    def gates(self, x: Tensor, training: bool | None) -> tuple[Any, ...]:
        """Return `a`, `b` and whatever `output` needs, for all steps."""
        raise NotImplementedError

    def output(self, h: Tensor) -> Tensor:
        """Return the layer's output for the state `h` and what `gates` returned besides."""
        return h

    def look_back(self, x: Tensor, past: list[Tensor], mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what the gates see at each step, and the states besides `h` after the last."""
        return x, past

    def inner_loop(
        self, sequences: Tensor, initial_state: Any, mask: Tensor, training: bool | None = False
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Take the steps, as `keras.layers.RNN` has every layer of its own do."""
        x = ops.cast(sequences, self.compute_dtype)
        if mask is not None:
            mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        if self.go_backwards:
            x, mask = ops.flip(x, 1), mask if mask is None else ops.flip(mask, 1)
        if mask is not None:
            x = ops.where(mask, x, 0.0)  # NaN in padding stays there
        (x,) = self._drop([x], self.dropout, training)
        n = len(initial_state) - len(self._past_sizes)
        x, past = self.look_back(x, initial_state[n:], mask)
        a, b, *rest = self.gates(x, training)
        a, b = keras.tree.flatten(a), keras.tree.flatten(b)  # complex numbers are pairs
        b = self._drop(b, self.recurrent_dropout, training)
        if mask is not None:
            a = [ops.where(mask, v, skip) for v, skip in zip(a, (1.0, 0.0), strict=False)]
            b = [ops.where(mask, v, 0.0) for v in b]
        h = linear_recurrence(a, b, initial_state[:n])
        y = self.output(*h, *rest)
        if mask is not None:
            y = held(y, mask)
            y = ops.where(mask, y, 0.0) if self.zero_output_for_mask else y
        return y[:, -1], y, [*(v[:, -1] for v in h), *past]

    _past_sizes = ()

    def _drop(self, xs, rate, training):
        """Drop the same features of each of `xs`, at all steps."""
        if not training or rate == 0:
            return xs
        ones = ops.ones_like(xs[0][:, :1])
        kept = keras.random.dropout(ones, rate, seed=self._seed_generator)
        return [x * kept for x in xs]

    def get_config(self) -> dict[str, Any]:
        names = "return_sequences return_state go_backwards stateful unroll zero_output_for_mask"
        config = keras.layers.Layer.get_config(self)  # RNN's own has the cell
        return {**config, **{name: getattr(self, name) for name in names.split()}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)  # RNN's own wants a cell


def held(x: Tensor, mask: Tensor, initial: Tensor | None = None) -> Any:
    """Return `x` with that of the last real step at masked ones, and `initial` or 0 before.

    That is a linear recurrence too.

    >>> x = ops.reshape(ops.convert_to_tensor([7.0, 1.0, 2.0, 7.0]), (1, 4, 1))
    >>> mask = ops.convert_to_tensor([[[False], [True], [True], [False]]])
    >>> [float(v) for v in held(x, mask)[0, :, 0]]
    [0.0, 1.0, 2.0, 2.0]
    """
    keeps = ops.where(mask, ops.zeros_like(x), ops.ones_like(x))
    return linear_recurrence(keeps, ops.where(mask, x, ops.zeros_like(x)), initial)
