import itertools
from collections.abc import Sequence

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper, Part
from kcatalog.ops.step_time import step_time
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "SGDR: Stochastic Gradient Descent with Warm Restarts",
        "Loshchilov, Hutter",
        2016,
        "https://arxiv.org/abs/1608.03983",
        "section 3, with any schedule in a cycle",
    ),
    equation="η(t) = ηᵢ(t - bᵢ) for bᵢ ≤ t < bᵢ₊₁",
    tags=("schedule",),
    example=Example(
        {
            "schedules": [
                Part("kcatalog.optimizers.schedules.WarmUp", learning_rate=0.1, warmup_steps=5),
                Part(
                    "keras.optimizers.schedules.CosineDecay",
                    initial_learning_rate=0.1,
                    decay_steps=20,
                ),
                0.01,
            ],
            "boundaries": [10, 40],
        }
    ),
)
class Joined(keras.optimizers.schedules.LearningRateSchedule):
    """Schedules one after the other, each beginning with its own step 0.

    For phases of training that no single schedule describes: restarts with a warm-up in every
    cycle, a constant rate between two decays, another schedule once layers are unfrozen. A warm-up
    in front of a schedule is `WarmUp`; one warm-up, plateau and decay is `WarmupStableDecay`.

    Maths:
        `η(t) = ηᵢ(t - bᵢ)` for `bᵢ ≤ t < bᵢ₊₁`, with `b₀ = 0`, the further `bᵢ` = `boundaries`
        and `ηᵢ` = `schedules`. The last one has no end.

    Args:
        schedules: `ηᵢ`, a list of Keras schedules or constant rates in [0, inf).
        boundaries: the steps at which the second and further schedules begin: a list of integers
            in [1, inf), increasing, one fewer than schedules.

    Shapes:
        A scalar step in, a scalar learning rate out.

    Behaviour:
        A schedule that is not in turn is computed and left out; so none may depend on being called
        once a step. Joined schedules and `WarmUp` may hold each other.

    Example:
        Two cycles of a cosine, each with a warm-up, the second longer and lower:

        >>> def cycle(peak, steps):
        ...     cosine = keras.optimizers.schedules.CosineDecay(peak, steps - 10)
        ...     return WarmUp(cosine, warmup_steps=10)
        >>> from kcatalog.optimizers.schedules import WarmUp
        >>> schedule = Joined([cycle(1.0, 50), cycle(0.5, 100)], boundaries=[50])
        >>> print([f"{float(schedule(t)):.2f}" for t in (5, 10, 30, 50, 60, 105)])
        ['0.50', '1.00', '0.50', '0.00', '0.50', '0.25']
    """

    def __init__(
        self,
        schedules: Sequence[keras.optimizers.schedules.LearningRateSchedule],
        boundaries: Sequence[int],
    ):
        super().__init__()
        self.schedules, self.boundaries = schedules, boundaries
        kinds = (list, tuple)
        rule = "a list of increasing integers in [1, inf)"
        if not isinstance(boundaries, kinds):
            raise checks.error(self, "boundaries", rule, boundaries)
        for boundary in boundaries:
            checks.integer(self, "boundaries", boundary, "[1, inf)")
        if any(a >= b for a, b in itertools.pairwise(boundaries)):
            raise checks.error(self, "boundaries", rule, boundaries)
        if not isinstance(schedules, kinds) or len(schedules) != len(boundaries) + 1:
            rule = "a list of schedules or numbers in [0, inf), one more than boundaries"
            raise checks.error(self, "schedules", rule, schedules)
        for schedule in schedules:
            if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
                checks.number(self, "schedules", schedule, "[0, inf)")

    def __call__(self, step: Tensor) -> Tensor:
        t = step_time(step)
        rate = self._rate(self.schedules[0], t)
        for schedule, b in zip(self.schedules[1:], self.boundaries, strict=True):
            rate = ops.where(t < b, rate, self._rate(schedule, ops.relu(t - b)))
        return rate

    def _rate(self, schedule, t):
        return ops.cast(schedule(t), t.dtype) if callable(schedule) else schedule + 0 * t
