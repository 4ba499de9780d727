from typing import Any

from keras import ops

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.normalized_cell import NormalizedCell, NormalizedOptions
from kcatalog.layers.recurrent.recurrent_options import GatedOptions
from kcatalog.registry import component
from kcatalog.types import Tensor


class LayerNormGRUOptions(GatedOptions, NormalizedOptions):
    """Arguments of the layer-normalized GRU."""


@component(
    paper=Paper(
        "Layer Normalization",
        "Ba, Kiros, Hinton",
        2016,
        "https://arxiv.org/abs/1607.06450",
        "supplement, equations 23 to 26",
    ),
    equation="z, r = σ(LN(W x) + LN(U h)),  h' = z h + (1 - z) tanh(LN(W x) + r LN(U h))",
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "recurrent_dropout": Float(0.0, 0.5)},
    example=Example({"units": 4, "epsilon": 1e-5}, shape=(5, 3)),
)
class LayerNormGRUCell(LayerNormGRUOptions, NormalizedCell):
    """One step of a layer-normalized GRU, to be run by `keras.layers.RNN`.

    The sums from input and state are normalized before they meet, so the gates stay in their
    working range however long the sequence. For whole sequences take `LayerNormGRU`: the same
    weights and results, several times faster.

    Maths:
        `a = γ₁ x̂ + b` and `s = γ₂ ĥ + d` in thirds, with `x̂` and `ĥ` = `W x` and `U h`, each
        standardized over all `3 units` columns; `z = σ(a₁ + s₁)`, `r = σ(a₂ + s₂)`;
        `h' = z h + (1 - z) φ(a₃ + r s₃)`, with `φ` = `activation`,
        `σ` = `recurrent_activation`. In the paper gates and candidate are normalized apart.

    Args:
        use_bias: Whether there are the biases `b` and `d`, of input and state.
        bias_initializer: Initializer of `b` and `d`.
        bias_regularizer: Regularizer of `b` and `d`, or None.
        bias_constraint: Constraint on `b` and `d`, or None.

    Example:
        Without input and bias the gates are 0.5 and the candidate is φ(0.5 ĥ), where ĥ is -1, 1:

        >>> import keras
        >>> first = keras.initializers.Constant([[0, 0, 0, 0, 1, -1], [0, 0, 0, 0, -1, 1]])
        >>> cell = LayerNormGRUCell(2, recurrent_initializer=first, epsilon=1e-9)
        >>> h, _ = cell(ops.zeros((1, 1)), [ops.array([[0.0, 1.0]])])
        >>> print(ops.convert_to_numpy(h).round(3))
        [[-0.35  0.85]]
    """

    kernels = 3

    def add_weights(self, features: int) -> None:
        super().add_weights(features)
        self._d = self.add_bias("recurrent_bias", 3 * self.units)

    def tensors(self) -> Any:
        p = super().tensors()
        p.d = self.cast(self._d)
        return p

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        (h,) = states
        σ, φ = self.recurrent_activation, self.activation
        a1, a2, a3 = ops.split(p.of_x(x) + p.b, 3, axis=-1)
        s1, s2, s3 = ops.split(p.of_h(p.drop(h)) + p.d, 3, axis=-1)
        z, r = σ(a1 + s1), σ(a2 + s2)
        h = z * h + (1 - z) * φ(a3 + r * s3)
        return h, [h]
