from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Int, Paper
from kcatalog.layers.recurrent.recurrent_cell import RecurrentCell
from kcatalog.layers.recurrent.recurrent_options import WeightOptions
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


@component(
    paper=Paper(
        "Neural Architecture Search with Reinforcement Learning",
        "Zoph, Le",
        2017,
        "https://arxiv.org/abs/1611.01578",
        "appendix A, figure 8",
    ),
    equation="c' = tanh(tanh(σ(z₁) relu(z₂)) + c) tanh(σ(z₃) + relu(z₄)),  h' = tanh(c' tanh(...))",
    tags=("cell", "recurrent"),
    space={"units": Int(8, 256, log=True), "use_bias": Choice(False, True)},
    example=Example({"units": 4, "projection": 3, "use_bias": True}, shape=(5, 3)),
)
class NASCell(WeightOptions, RecurrentCell):
    """One step of the cell that neural architecture search found, to be run by `keras.layers.RNN`.

    Found for language models of words, where it did better than an LSTM of as many weights. It
    multiplies by 8 kernels where an LSTM has 4, so compare it with an LSTM of more units.

    Maths:
        With `a = W x` and `s = U h + b` in eighths, `zₖ = aₖ + sₖ` but `z₄ = a₄ s₄`:
        `c' = tanh(tanh(σ(z₁) relu(z₂)) + c) tanh(σ(z₃) + relu(z₄))`,
        `h' = P tanh(c' tanh(tanh(tanh(z₅) σ(z₆)) + σ(tanh(z₇) + σ(z₈))))`, where `P` is the
        projection, if there is one.

    Args:
        units: Width of `c`, an integer in [1, inf).
        projection: Width of `h` after the projection `P`, an integer in [1, inf), or None for no
            projection.
        projection_initializer: Initializer of `P`.

    Shapes:
        Input `(batch, features)` and states `h`, `(batch, projection or units)`, and `c`,
        `(batch, units)`; output `h` and the two new states. TensorFlow Addons has `c` first.

    Example:
        Without input and weights, `c' = tanh(c) tanh(0.5)`:

        >>> cell = NASCell(1, kernel_initializer="zeros", recurrent_initializer="zeros")
        >>> _, (h, c) = cell(ops.zeros((1, 1)), [ops.zeros((1, 1)), ops.ones((1, 1))])
        >>> print(ops.convert_to_numpy(c).round(4), ops.convert_to_numpy(h).round(4))
        [[0.3519]] [[0.1922]]
    """

    kernels = 8

    def __init__(
        self,
        units: int,
        projection: int | None = None,
        *,
        use_bias: bool = False,
        recurrent_initializer: KerasObject = "glorot_uniform",
        projection_initializer: KerasObject = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(
            units, use_bias=use_bias, recurrent_initializer=recurrent_initializer, **kwargs
        )
        self.projection = checks.integer(self, "projection", projection, "[1, inf)", optional=True)
        self.projection_initializer = checks.initializer(
            self, "projection_initializer", projection_initializer
        )

    @property
    def output_size(self) -> int:
        return self.projection or self.units

    @property
    def state_size(self) -> Any:
        return [self.output_size, self.units]

    def add_weights(self, features: int) -> None:
        self._W = self.add_kernel("kernel", features, 8 * self.units)
        self._U = self.add_recurrent_kernel("recurrent_kernel", self.output_size, 8 * self.units)
        self._b = self.add_bias("bias", 8 * self.units)
        if self.projection:
            self._P = self.add_weight(
                (self.units, self.projection), self.projection_initializer, name="projection"
            )

    def tensors(self) -> Any:
        p = super().tensors()
        p.P = self.cast(self._P) if self.projection else None
        return p

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        σ, tanh, relu = ops.sigmoid, ops.tanh, ops.relu
        a = ops.split(ops.matmul(x, p.W), 8, axis=-1)
        s = ops.split(ops.matmul(p.drop(h), p.U) + p.b, 8, axis=-1)
        z1, z2, z3, _, z5, z6, z7, z8 = (ak + sk for ak, sk in zip(a, s, strict=True))
        z4 = a[3] * s[3]
        c = tanh(tanh(σ(z1) * relu(z2)) + c) * tanh(σ(z3) + relu(z4))
        h = tanh(c * tanh(tanh(tanh(z5) * σ(z6)) + σ(tanh(z7) + σ(z8))))
        h = ops.matmul(h, p.P) if self.projection else h
        return h, [h, c]
