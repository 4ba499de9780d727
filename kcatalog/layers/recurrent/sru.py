import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.recurrent.linear_recurrent import LinearRecurrent
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


@component(
    paper=Paper(
        "Simple Recurrent Units for Highly Parallelizable Recurrence",
        "Lei, Zhang, Wang, Dai, Artzi",
        2018,
        "https://arxiv.org/abs/1709.02755",
        "equations 1 to 4, section 3.2",
    ),
    equation="c[t] = f c[t-1] + (1 - f) W x[t],  h[t] = r φ(c[t]) + (1 - r) α x[t]",
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "highway_bias": Choice(0.0, -1.0, -3.0),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example(
        {"units": 4, "highway_bias": -1.0, "rescale": True, "return_sequences": True}, shape=(5, 3)
    ),
)
class SRU(LinearRecurrent):
    """Simple recurrent unit: a light recurrence with a highway around it, made to be stacked.

    Several times faster than `keras.layers.LSTM` on long sequences. The highway lets gradients
    pass a deep stack; use four layers or more. With as many `units` as features it costs
    nothing, otherwise `x` takes a kernel of its own.

    Maths:
        `c[t] = f[t] c[t-1] + (1 - f[t]) W x[t]`, `h[t] = r[t] φ(c[t]) + (1 - r[t]) α x[t]`, with
        `f[t] = σ(W₁ x[t] + b₁)`, `r[t] = σ(W₂ x[t] + b₂)`, `φ` = `activation`, and
        `α = √(1 + 2 exp(highway_bias))` with `rescale`, else 1. Differs from the paper: as in its
        first version, gates do not see `c[t-1]`, which would make every step wait for the last.

    Args:
        use_bias: Whether the gates have biases.
        kernel_initializer: Initializer of `[W, W₁, W₂]`, and of the highway's kernel.
        bias_initializer: Initializer of the forget gate's bias `b₁`.
        highway_bias: Where `b₂` starts, a number in (-inf, inf). Less than 0 favours the highway.
        rescale: Whether `x` is scaled by `α`, so that at the start the output's variance is that of
            the input in a stack of any depth.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also `c`, `(batch, units)`.

    Example:
        Weights of zero open both gates half: half of x passes by, and c stays 0.

        >>> layer = SRU(1, kernel_initializer="zeros", return_sequences=True)
        >>> [float(h) for h in layer(ops.full((1, 2, 1), 3.0))[0, :, 0]]
        [1.5, 1.5]
    """

    kernels = 3

    def __init__(
        self,
        units: int,
        activation: KerasObject | None = None,
        *,
        highway_bias: float = 0.0,
        rescale: bool = False,
        **kwargs: Any,
    ):
        super().__init__(units, activation, **kwargs)
        self.highway_bias = checks.number(self, "highway_bias", highway_bias, "(-inf, inf)")
        self.rescale = checks.boolean(self, "rescale", rescale)
        self._α = math.sqrt(1 + 2 * math.exp(min(highway_bias, 80.0))) if rescale else 1.0

    def add_weights(self, features: int) -> None:
        self._W = self._kernel("kernel", features, 3 * self.units)
        self._b = self._bias(2 * self.units, self._start_bias)
        self._highway = None
        if features != self.units:
            self._highway = self._kernel("highway_kernel", features, self.units)

    def _start_bias(self, shape, dtype=None):
        forget = self.bias_initializer((self.units,), dtype)
        return ops.concatenate([forget, ops.full((self.units,), self.highway_bias, dtype)])

    def gates(self, x: Tensor, training: bool | None) -> tuple[Any, ...]:
        new, f, r = ops.split(self.matmul(x, self._W), 3, axis=-1)
        if self.use_bias:
            b_f, b_r = ops.split(self._cast(self._b), 2)
            f, r = f + b_f, r + b_r
        f, r = ops.sigmoid(f), ops.sigmoid(r)
        x = x if self._highway is None else self.matmul(x, self._highway)
        return f, (1 - f) * new, r, (1 - r) * self._α * x

    def output(self, c: Tensor, r: Tensor, passed: Tensor) -> Tensor:
        return r * self.activation(c) + passed
