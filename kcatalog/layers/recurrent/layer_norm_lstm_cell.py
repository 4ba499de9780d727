from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Int, Paper
from kcatalog.layers.recurrent.normalized_cell import (
    NormalizedCell,
    NormalizedOptions,
    standardized,
)
from kcatalog.layers.recurrent.recurrent_options import LSTMOptions
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


class LayerNormLSTMOptions(LSTMOptions, NormalizedOptions):
    """Arguments of the layer-normalized LSTM.

    Args:
        units: Width of `h` and `c`, an integer in [1, inf). With 1, `LN(c)` is constant.
        use_bias: Whether the gates have the bias `b`; `LN(c)` has its own in any case.
        carry_normalized: Whether the next step gets `LN(c')` in place of `c'`, which is what
            TensorFlow Addons computes; the paper carries `c'`.
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject = "tanh",
        recurrent_activation: KerasObject = "sigmoid",
        *,
        carry_normalized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(units, activation, recurrent_activation, **kwargs)
        self.carry_normalized = checks.boolean(self, "carry_normalized", carry_normalized)


@component(
    paper=Paper(
        "Layer Normalization",
        "Ba, Kiros, Hinton",
        2016,
        "https://arxiv.org/abs/1607.06450",
        "supplement, equations 20 to 22",
    ),
    equation="z = LN(W x) + LN(U h) + b,  c' = σ(f) c + σ(i) tanh(g),  h' = σ(o) tanh(LN(c'))",
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "carry_normalized": Choice(False, True)},
    example=Example({"units": 4, "carry_normalized": True}, shape=(5, 3)),
)
class LayerNormLSTMCell(LayerNormLSTMOptions, NormalizedCell):
    """One step of a layer-normalized LSTM, to be run by `keras.layers.RNN`.

    The sums from input and state are normalized over the gates before they meet, and the cell
    state before it leaves, so the gates stay in their working range however long the sequence.
    For whole sequences take `LayerNormLSTM`: the same weights and results, several times
    faster. This cell is for stacks of cells and loops of your own.

    Maths:
        `z = γ₁ x̂ + γ₂ ĥ + b`, with `x̂` and `ĥ` = `W x` and `U h`, each standardized over all
        `4 units` gates, as `(a - mean(a)) / √(var(a) + epsilon)`; `i, f, g, o = z` in quarters;
        `c' = σ(f) c + σ(i) φ(g)`; `h' = σ(o) φ(LN(c'))`, with `φ` = `activation`,
        `σ` = `recurrent_activation`.

    Shapes:
        Input `(batch, features)` and states `h`, `c`, both `(batch, units)`; output
        `(batch, units)` and the two new states.

    Behaviour:
        Dropout acts in training only, with the same mask at all steps that `keras.layers.RNN`
        takes. In half precision the statistics are taken in float32.

    Example:
        >>> import keras
        >>> cell = LayerNormLSTMCell(
        ...     units=2, kernel_initializer="identity", recurrent_initializer="identity"
        ... )
        >>> x = keras.ops.reshape(keras.ops.arange(16, dtype="float32"), (1, 2, 8)) ** 2
        >>> h = keras.layers.RNN(cell)(x)
        >>> print(f"{keras.ops.convert_to_numpy(h)[0, 1]:.4f}")
        0.6323
    """

    kernels = 4

    @property
    def state_size(self) -> Any:
        return [self.units, self.units]

    def add_weights(self, features: int) -> None:
        # differs from the paper: β₁, β₂ and b are only ever added, so one bias holds their sum
        super().add_weights(features)
        self._γ3 = self.add_weight((self.units,), self.gamma_initializer, name="state_gamma")
        self._β3 = self.add_weight((self.units,), "zeros", name="state_beta")

    def tensors(self) -> Any:
        p = super().tensors()
        p.γ, p.β = self.cast(self._γ3), self.cast(self._β3)
        return p

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        σ, φ = self.recurrent_activation, self.activation
        i, f, g, o = ops.split(p.of_x(x) + p.of_h(p.drop(h)) + p.b, 4, axis=-1)
        c = σ(f) * c + σ(i) * φ(g)
        n = p.γ * standardized(c, self.epsilon) + p.β
        h = σ(o) * φ(n)
        return h, [h, n if self.carry_normalized else c]
