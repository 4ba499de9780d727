import math

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.step_time import share, step_time
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
        "Smith, Topin",
        2017,
        "https://arxiv.org/abs/1708.07120",
        "section 3, 1cycle",
    ),
    equation="η(t): η₁/d₀ → η₁ for t ≤ aT, then → η₁/(d₀ d₁) at T",
    tags=("schedule",),
    space={
        "peak": Float(0.1, 0.5),
        "cycle_end": Float(0.6, 1.0),
        "initial_divisor": Float(5.0, 50.0, log=True),
        "curve": Choice("cosine", "linear"),
    },
    example=Example(
        {
            "maximal_learning_rate": 0.5,
            "total_steps": 20,
            "peak": 0.4,
            "cycle_end": 0.8,
            "curve": "linear",
        }
    ),
)
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """One cycle of the learning rate: up to a large peak, down, and far below the start.

    The large rates in the middle regularize, the small ones at the end let the weights settle. For
    training whose number of steps is known, above all with SGD; the peak may be several times the
    best constant rate (`LearningRateRangeTest` finds it). Reduce other regularization. If training
    may go on past the planned end, use `WarmupStableDecay`.

    Maths:
        With `η₁` = `maximal_learning_rate`, `T` = `total_steps`, `a` = `peak`, `b` = `cycle_end`,
        `d₀` = `initial_divisor` and `d₁` = `final_divisor`, the rate goes through
        `η(0) = η₁/d₀`, `η(aT) = η₁`, `η(bT) = η₁/d₀`, `η(T) = η₁/(d₀ d₁)`, and stays there;
        with `b = 1` from `η(aT) = η₁` to `η(T) = η₁/(d₀ d₁)` at once. Between two of these, `x`
        and `y`, it is `x + (y - x) s` ("linear") or `x + (y - x) (1 - cos πs) / 2` ("cosine"),
        where `s` is the share of the time that has passed.

    Args:
        maximal_learning_rate: `η₁`, the peak, in [0, inf).
        total_steps: `T`, the steps of the whole training, an integer in [1, inf).
        peak: `a`, the share of the steps before the peak, in (0, 1).
        cycle_end: `b`, the share of the steps before the rate is back where it began, in (0, 1],
            above `peak`. 1 leaves out the return.
        initial_divisor: `d₀`, by which the rate begins below its peak, in [1, inf).
        final_divisor: `d₁`, by which it ends below its start, in [1, inf).
        curve: "cosine" or "linear".

    Shapes:
        A scalar step in, a scalar learning rate out.

    Behaviour:
        The paper's is "linear" with `cycle_end` about 0.9 and `peak` half of it; the defaults are
        those of PyTorch and optax. Differs from the paper: momentum does not cycle, because a
        schedule sees only steps, and Keras compiles momentum into the training step as a constant.
        PyTorch's schedule is this one with `T` one less and its peak one step earlier.

    Example:
        Up from a 25th, and far down:

        >>> schedule = OneCycle(1.0, total_steps=100)
        >>> print([f"{float(schedule(t)):.6f}" for t in (0, 30, 65, 100)])
        ['0.040000', '1.000000', '0.500002', '0.000004']
    """

    def __init__(
        self,
        maximal_learning_rate: float,
        total_steps: int,
        peak: float = 0.3,
        cycle_end: float = 1.0,
        initial_divisor: float = 25.0,
        final_divisor: float = 1e4,
        curve: str = "cosine",
    ):
        super().__init__()
        self.maximal_learning_rate = checks.number(
            self, "maximal_learning_rate", maximal_learning_rate, "[0, inf)"
        )
        self.total_steps = checks.integer(self, "total_steps", total_steps, "[1, inf)")
        self.peak = checks.number(self, "peak", peak, "(0, 1)")
        self.cycle_end = checks.number(self, "cycle_end", cycle_end, "(0, 1]")
        if cycle_end <= peak:
            raise checks.error(self, "cycle_end", f"above peak={peak!r}", cycle_end)
        self.initial_divisor = checks.number(self, "initial_divisor", initial_divisor, "[1, inf)")
        self.final_divisor = checks.number(self, "final_divisor", final_divisor, "[1, inf)")
        self.curve = checks.choice(self, "curve", curve, ("cosine", "linear"))

    def __call__(self, step: Tensor) -> Tensor:
        t, T = step_time(step), self.total_steps
        a, b = self.peak * T, self.cycle_end * T
        highest = self.maximal_learning_rate
        first = highest / self.initial_divisor
        last = first / self.final_divisor
        rate = self._between(highest, last if b == T else first, share(t, a, b))
        if b < T:
            rate = ops.where(t < b, rate, self._between(first, last, share(t, b, T)))
        return ops.where(t < a, self._between(first, highest, share(t, 0, a)), rate)

    def _between(self, x, y, s):
        if self.curve == "cosine":
            s = (1 - ops.cos(math.pi * s)) / 2
        return x * (1 - s) + y * s  # exact at both ends
