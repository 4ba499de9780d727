import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper, Part
from kcatalog.ops.step_time import step_time
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
        "Goyal, Dollár, Girshick, Noordhuis, Wesolowski, Kyrola, Tulloch, Jia, He",
        2017,
        "https://arxiv.org/abs/1706.02677",
        "section 2.2, gradual warmup",
    ),
    equation="η(t) = η₀ + (η_s(0) - η₀) t / T for t < T, then η_s(t - T)",
    tags=("schedule",),
    space={"warmup_steps": Int(10, 10000, log=True)},
    example=Example(
        {
            "learning_rate": Part(
                "keras.optimizers.schedules.CosineDecay",
                initial_learning_rate=0.1,
                decay_steps=20,
            ),
            "warmup_steps": 5,
        }
    ),
)
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up in front of any schedule, or of a constant learning rate.

    The first steps of training see large, unreliable gradients and, in Adam, unreliable second
    moments; a small learning rate carries the weights past them. Use it with large batches,
    transformers and high peak learning rates. A small model at a modest learning rate does not
    need it.

    Maths:
        `η(t) = η₀ + (η_s(0) - η₀) t / T` for `t < T`, and `η(t) = η_s(t - T)` from then on,
        with `η₀` = `initial_learning_rate`, `T` = `warmup_steps`, `η_s` = `learning_rate`.

    Args:
        learning_rate: `η_s`, what follows: a Keras schedule, or a number in [0, inf).
        warmup_steps: `T`, in steps: an integer in [1, inf).
        initial_learning_rate: `η₀`, where the line starts, in [0, inf).

    Shapes:
        A scalar step in, a scalar learning rate out.

    Behaviour:
        The schedule starts when the warm-up ends, so all of it is used; differs from the paper,
        whose schedule counts its steps from the start of training. Steps are the optimizer's:
        with gradient accumulation, Keras counts every batch.

    Example:
        Half way up to 0.2:

        >>> schedule = WarmUp(0.2, warmup_steps=10)
        >>> print(f"{float(schedule(5)):.2f} {float(schedule(25)):.2f}")
        0.10 0.20
    """

    def __init__(self, learning_rate: float, warmup_steps: int, initial_learning_rate: float = 0.0):
        super().__init__()
        if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            checks.number(self, "learning_rate", learning_rate, "[0, inf)")
        self.learning_rate = learning_rate
        self.warmup_steps = checks.integer(self, "warmup_steps", warmup_steps, "[1, inf)")
        self.initial_learning_rate = checks.number(
            self, "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )

    def __call__(self, step: Tensor) -> Tensor:
        t = step_time(step)
        T = self.warmup_steps
        start = self.initial_learning_rate
        rising = start + (self._after(0 * t) - start) * t / T
        return ops.where(t < T, rising, self._after(ops.relu(t - T)))

    def _after(self, t):
        if callable(self.learning_rate):
            return ops.cast(self.learning_rate(t), t.dtype)
        return self.learning_rate + 0 * t
