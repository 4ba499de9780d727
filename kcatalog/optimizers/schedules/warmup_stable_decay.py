import math

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Int, Paper
from kcatalog.ops.step_time import share, step_time
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training "
        "Strategies",
        "Hu et al.",
        2024,
        "https://arxiv.org/abs/2404.06395",
        "section 4.2, WSD",
    ),
    equation="η(t): 0 → η for t ≤ W, η for S steps, then η f(s) for D steps",
    tags=("schedule",),
    space={
        "warmup_steps": Int(10, 10000, log=True),
        "decay": Choice("linear", "cosine", "1-sqrt"),
    },
    example=Example(
        {
            "learning_rate": 0.1,
            "warmup_steps": 4,
            "stable_steps": 6,
            "decay_steps": 10,
            "decay": "cosine",
            "final_learning_rate": 0.01,
        }
    ),
)
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Warm-up, a long constant rate, and a short decay at the end.

    The loss drops mostly in the decay, which takes a tenth of the steps, and weights saved before
    it can go on with more data or decay at any time: no length has to be fixed beforehand, as it
    has for a cosine. Use it for long training and for continued training. With a fixed, short
    budget a cosine or `OneCycle` is as good and has less to choose.

    Maths:
        `η(t) = η₀ + (η - η₀) t / W` for `t < W`, then `η(t) = η` for `S` steps, then
        `η(t) = η₁ + (η - η₁) f(s)` with `s = (t - W - S) / D` up to 1, where `f(s)` is `1 - s`
        ("linear"), `(1 + cos πs) / 2` ("cosine") or `1 - √s` ("1-sqrt"). `η` = `learning_rate`,
        `η₀` = `initial_learning_rate`, `η₁` = `final_learning_rate`, `W` = `warmup_steps`,
        `S` = `stable_steps`, `D` = `decay_steps`.

    Args:
        learning_rate: `η`, the constant rate, in [0, inf).
        warmup_steps: `W`, an integer in [0, inf).
        stable_steps: `S`, an integer in [0, inf).
        decay_steps: `D`, an integer in [1, inf). The paper advises a tenth of all steps.
        decay: the curve of the decay, "linear", "cosine" or "1-sqrt".
        initial_learning_rate: `η₀`, in [0, inf).
        final_learning_rate: `η₁`, which stays after the decay, in [0, inf).

    Shapes:
        A scalar step in, a scalar learning rate out.

    Behaviour:
        Differs from the paper, whose decay halves the rate every so many steps and ends nowhere.
        "1-sqrt" is the best of those that Hägele et al. (2024, https://arxiv.org/abs/2405.18392)
        compare. pytorch_optimizer ignores the final rate in "linear" and "1-sqrt" until the decay
        is over.

    Example:
        Half way up, constant, a quarter into the decay, after it:

        >>> schedule = WarmupStableDecay(1.0, warmup_steps=10, stable_steps=80, decay_steps=20)
        >>> print([f"{float(schedule(t)):.2f}" for t in (5, 50, 95, 200)])
        ['0.50', '1.00', '0.50', '0.00']
    """

    def __init__(
        self,
        learning_rate: float,
        warmup_steps: int,
        stable_steps: int,
        decay_steps: int,
        decay: str = "1-sqrt",
        initial_learning_rate: float = 0.0,
        final_learning_rate: float = 0.0,
    ):
        super().__init__()
        self.learning_rate = checks.number(self, "learning_rate", learning_rate, "[0, inf)")
        self.warmup_steps = checks.integer(self, "warmup_steps", warmup_steps, "[0, inf)")
        self.stable_steps = checks.integer(self, "stable_steps", stable_steps, "[0, inf)")
        self.decay_steps = checks.integer(self, "decay_steps", decay_steps, "[1, inf)")
        self.decay = checks.choice(self, "decay", decay, ("linear", "cosine", "1-sqrt"))
        self.initial_learning_rate = checks.number(
            self, "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.final_learning_rate = checks.number(
            self, "final_learning_rate", final_learning_rate, "[0, inf)"
        )

    def __call__(self, step: Tensor) -> Tensor:
        t, W = step_time(step), self.warmup_steps
        end = W + self.stable_steps
        f = self._f(share(t, end, end + self.decay_steps))
        rate = self.final_learning_rate * (1 - f) + self.learning_rate * f
        if W == 0:
            return rate
        s = share(t, 0, W)
        return ops.where(t < W, self.initial_learning_rate * (1 - s) + self.learning_rate * s, rate)

    def _f(self, s):
        if self.decay == "linear":
            return 1 - s
        return (1 + ops.cos(math.pi * s)) / 2 if self.decay == "cosine" else 1 - ops.sqrt(s)
