import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.recurrent.linear_recurrent import LinearRecurrent
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


@component(
    paper=Paper(
        "Resurrecting Recurrent Neural Networks for Long Sequences",
        "Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De",
        2023,
        "https://arxiv.org/abs/2303.06349",
        "section 3, equations 1 and 7, appendix A",
    ),
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "r_min": Choice(0.0, 0.5, 0.9),
        "dropout": Float(0.0, 0.5),
    },
    example=Example(
        {"units": 4, "state_units": 3, "r_min": 0.5, "return_sequences": True}, shape=(5, 3)
    ),
)
class LRU(LinearRecurrent):
    """Linear recurrent unit: complex states that turn and fade, each at a rate of its own.

    For very long sequences, where what matters is spread over thousands of steps. It has no
    gates: what it keeps does not depend on the input. In the paper each of several such layers
    is followed by a gated dense layer and a residual connection, and long memory is helped by
    `r_min` = 0.9 and a small `max_phase`.

    Maths:
        `h[t] = λ h[t-1] + γ B x[t]`, `y[t] = φ(Re(C h[t]) + D x[t] + b)`, with complex `h`, `B`,
        `C` and, for each state, `λ = exp(-exp(ν) + i exp(θ))`, whose modulus is below 1. `ν`, `θ`
        and `log γ` are trained. At the start `λ` is uniform in the ring from `r_min` to `r_max`
        with a phase up to `max_phase`, and `γ = √(1 - |λ|²)`, which keeps the size of what comes
        in.

    Args:
        state_units: How many complex states there are, an integer in [1, inf), or None for as
            many as `units`.
        activation: `φ`, a Keras activation by name, a function, or None for the identity.
        kernel_initializer: Initializer of `B`, `C` and `D`.
        kernel_regularizer: Regularizer of `B`, `C` and `D`, or None.
        kernel_constraint: Constraint on `B`, `C` and `D`, or None.
        r_min: Least modulus at the start, a number in [0, 1].
        r_max: Greatest modulus at the start, a number in [0, 1], `r_min` or more.
        max_phase: Greatest phase at the start, a number in (0, inf), in radians for each step.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also the real and the imaginary part of `h`, both
        `(batch, state_units)`.

    Example:
        Without B, a state of 1 turns by a quarter and halves at each step:

        >>> layer = LRU(1, return_state=True)
        >>> layer.build((1, 1, 1))
        >>> B, C, D, b, ν, θ, log_γ = layer.get_weights()
        >>> ν, θ = 0 * ν + math.log(math.log(2)), 0 * θ + math.log(math.pi / 2)
        >>> layer.set_weights([0 * B, C, D, b, ν, θ, log_γ])
        >>> one, zero = ops.ones((1, 1)), ops.zeros((1, 1))
        >>> _, re, im = layer(ops.ones((1, 3, 1)), initial_state=[one, zero])
        >>> round(float(im[0, 0]), 4)
        -0.125
    """

    def __init__(
        self,
        units: int,
        activation: KerasObject | None = None,
        *,
        state_units: int | None = None,
        kernel_initializer: KerasObject = "lecun_normal",
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
        **kwargs: Any,
    ):
        super().__init__(units, activation, kernel_initializer=kernel_initializer, **kwargs)
        self.state_units = checks.integer(
            self, "state_units", state_units, "[1, inf)", optional=True
        )
        self.r_min = checks.number(self, "r_min", r_min, "[0, 1]")
        self.r_max = checks.number(self, "r_max", r_max, "[0, 1]")
        if r_min > r_max:
            raise checks.error(self, "r_max", f"r_min ({r_min}) or more", r_max)
        self.max_phase = checks.number(self, "max_phase", max_phase, "(0, inf)")
        self._N = state_units or units
        self.state_size = [self._N, self._N]

    def add_weights(self, features: int) -> None:
        N = self._N
        half = math.sqrt(0.5)  # of the variance in the real part, half in the imaginary part
        self._B = self._kernel("input_kernel", features, 2 * N, scale=half)
        self._C = self._kernel("output_kernel", 2 * N, self.units, scale=1 / half)
        self._D = self._kernel("skip_kernel", features, self.units)
        self._b = self._bias(self.units)
        uniform = keras.initializers.RandomUniform(0.0, 1.0)  # the same numbers at each call

        def ν(shape, dtype=None):
            square = uniform(shape, dtype) * (self.r_max**2 - self.r_min**2) + self.r_min**2
            return ops.log(-0.5 * ops.log(ops.clip(square, 1e-12, 1 - 1e-6)))

        def θ(shape, dtype=None):
            phase = keras.initializers.RandomUniform(0.0, self.max_phase)(shape, dtype)
            return ops.log(ops.maximum(phase, 1e-6))

        def log_γ(shape, dtype=None):
            return 0.5 * ops.log(-ops.expm1(-2 * ops.exp(ν(shape, dtype))))

        # half precision cannot tell slow decay from none
        self._ν = self.add_weight((N,), ν, autocast=False, name="nu")
        self._θ = self.add_weight((N,), θ, autocast=False, name="theta")
        self._log_γ = self.add_weight((N,), log_γ, autocast=False, name="log_gamma")

    def gates(self, x: Tensor, training: bool | None) -> tuple[Any, ...]:
        modulus, θ = ops.exp(-ops.exp(self._ν)), ops.exp(self._θ)
        γ = ops.cast(ops.exp(self._log_γ), x.dtype)
        b = [γ * v for v in ops.split(self.matmul(x, self._B), 2, axis=-1)]
        none = ops.zeros_like(b[0], dtype=modulus.dtype)
        return [none + modulus * ops.cos(θ), none + modulus * ops.sin(θ)], b, x

    def output(self, re: Tensor, im: Tensor, x: Tensor) -> Tensor:
        # the lower half of C is its negative imaginary part
        y = self.matmul(ops.concatenate([re, im], axis=-1), self._C) + self.matmul(x, self._D)
        return self.activation(y + self._cast(self._b))
