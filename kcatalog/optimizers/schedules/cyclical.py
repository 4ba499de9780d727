import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.ops.step_time import step_time
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Cyclical Learning Rates for Training Neural Networks",
        "Smith",
        2015,
        "https://arxiv.org/abs/1506.01186",
        "section 3.1",
    ),
    equation="η(t) = η₀ + (η₁ - η₀) max(0, 1 - |t/S - 2c + 1|) f, c = ⌊1 + t / (2S)⌋",
    tags=("schedule",),
    space={
        "half_cycle_steps": Int(100, 10000, log=True),
        "mode": Choice("triangular", "triangular2", "exponential"),
        "gamma": Float(0.999, 1.0),
    },
    example=Example(
        {
            "initial_learning_rate": 0.01,
            "maximal_learning_rate": 0.1,
            "half_cycle_steps": 5,
            "mode": "exponential",
            "gamma": 0.99,
        }
    ),
)
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """Cyclical learning rate: it rises and falls between two bounds along straight lines.

    The rate that is best changes while training goes on, and a cycle visits all of a range again
    and again. For training of unknown length, and for snapshots at the ends of cycles. Where the
    number of steps is known, `OneCycle` or a single cosine mostly ends lower. Take the bounds from
    a learning-rate range test: where the loss begins to fall, and before it rises.

    Maths:
        `η(t) = η₀ + (η₁ - η₀) max(0, 1 - x) f` with the cycle `c = ⌊1 + t / (2S)⌋` and
        `x = |t/S - 2c + 1|`; `η₀` = `initial_learning_rate`, `η₁` = `maximal_learning_rate`,
        `S` = `half_cycle_steps`, and `f = 1` ("triangular"), `f = 2^(1 - c)` ("triangular2"), or
        `f = γᵗ` ("exponential") with `γ` = `gamma`.

    Args:
        initial_learning_rate: `η₀`, the lower bound, in [0, inf).
        maximal_learning_rate: `η₁`, the upper bound of the first cycle, in [0, inf), not below
            `η₀`.
        half_cycle_steps: `S`, the steps from the lower bound to the upper one, an integer in
            [1, inf). The paper advises 2 to 10 epochs.
        mode: "triangular" keeps the height, "triangular2" halves it with each cycle,
            "exponential" lets it decay with each step.
        gamma: `γ`, the decay of "exponential", in (0, 1]. Other modes ignore it.

    Shapes:
        A scalar step in, a scalar learning rate out.

    Behaviour:
        The lower bound stays where it is. The paper's text lets both bounds decay in
        "exponential"; its code and all peers keep the lower one.

    Example:
        At the peak of the first cycle, between it and the second, and at the second peak:

        >>> schedule = Cyclical(0.1, 0.5, half_cycle_steps=10, mode="triangular2")
        >>> print([f"{float(schedule(t)):.2f}" for t in (10, 20, 30)])
        ['0.50', '0.10', '0.30']
    """

    def __init__(
        self,
        initial_learning_rate: float,
        maximal_learning_rate: float,
        half_cycle_steps: int = 2000,
        mode: str = "triangular",
        gamma: float = 1.0,
    ):
        super().__init__()
        self.initial_learning_rate = checks.number(
            self, "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.maximal_learning_rate = checks.number(
            self, "maximal_learning_rate", maximal_learning_rate, "[0, inf)"
        )
        if maximal_learning_rate < initial_learning_rate:
            rule = f"at least initial_learning_rate={initial_learning_rate!r}"
            raise checks.error(self, "maximal_learning_rate", rule, maximal_learning_rate)
        self.half_cycle_steps = checks.integer(
            self, "half_cycle_steps", half_cycle_steps, "[1, inf)"
        )
        modes = ("triangular", "triangular2", "exponential")
        self.mode = checks.choice(self, "mode", mode, modes)
        self.gamma = checks.number(self, "gamma", gamma, "(0, 1]")

    def __call__(self, step: Tensor) -> Tensor:
        t, S = step_time(step), self.half_cycle_steps
        c = 1 + t // (2 * S)
        x = ops.abs(t / S - 2 * c + 1)
        height = (self.maximal_learning_rate - self.initial_learning_rate) * ops.relu(1 - x)
        return self.initial_learning_rate + height * self._factor(t, c)

    def _factor(self, t, c):
        if self.mode == "triangular2":
            return 2.0 ** (1 - c)
        return self.gamma**t if self.mode == "exponential" else 1.0
