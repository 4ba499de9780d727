import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "The AdEMAMix Optimizer: Better, Faster, Older",
        "Pagliardini, Ablin, Grangier",
        2024,
        "https://arxiv.org/abs/2409.03137",
        "algorithm 1",
    ),
    equation="w ← w - η (m̂₁ + α m₂) / (√v̂ + ε), with a slow mean m₂",
    space={
        "learning_rate": Float(1e-4, 0.1, log=True),
        "alpha": Float(2.0, 10.0),
        "beta_3": Choice(0.99, 0.999, 0.9999),
    },
    example=Example(
        {"learning_rate": 0.02, "beta_3": 0.99, "alpha": 2.0, "warmup_steps": 100},
    ),
)
class AdEMAMix(MomentOptimizer):
    """AdEMAMix: Adam with a second, much slower mean of the gradients.

    One mean cannot both follow the newest gradient and remember tens of thousands of old ones,
    which still help. For long trainings, of language models above all. In short ones the slow
    mean has nothing to remember: take `beta_3` such that `1 / (1 - beta_3)` is at most a tenth of
    the steps. When the data change, it goes on in the old direction for as long as it remembers.

    Maths:
        `w ← w - η (m̂₁ + α m₂) / (√v̂ + ε)`, with `m₁ ← β₁ m₁ + (1 - β₁) g`,
        `m₂ ← β₃ m₂ + (1 - β₃) g`, Adam's `v̂` and `m̂₁ = m₁ / (1 - β₁ᵗ)`; `m₂` is not corrected.
        Over the first `T` steps, `α` grows linearly from 0, and `β₃` from `β₁` such that its
        memory does: `1 / log β₃(t) = (1 - t/T) / log β₁ + (t/T) / log β₃`.

    Args:
        beta_1: `β₁`, the decay of the fast mean, in [0, 1).
        beta_3: `β₃`, the decay of the slow mean, in (0, 1).
        alpha: `α`, the weight of the slow mean, in [0, inf). The paper's are from 4 to 10.
        warmup_steps: `T`, an integer in [0, inf). The paper takes all steps of the training;
            without a warm-up (0) large rates diverge early.

    Shapes:
        Three slots per weight, `m₂`, `v` and `m₁`, of the weight's shape. With `beta_1=0`, `m₁` is
        the gradient and has none.

    Behaviour:
        The paper's `T_α` and `T_β₃` are one argument, as in its experiments. optax leaves both
        schedules to the caller.

    Example:
        Both means agree at a constant gradient. After the warm-up the slow one is at
        `1 - 0.9²` of it, so the second step is `1 + α (1 - 0.9²)` = 1.38 times Adam's:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), AdEMAMix(0.1, beta_3=0.9, alpha=2.0)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([5.0])], [w])
        ...     print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}", end=" ")
        0.8800 0.7420
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        alpha: float = 5.0,
        warmup_steps: int = 0,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.beta_3 = checks.number(self, "beta_3", beta_3, "(0, 1)")
        self.alpha = checks.number(self, "alpha", alpha, "[0, inf)")
        self.warmup_steps = checks.integer(self, "warmup_steps", warmup_steps, "[0, inf)")
        self.slots = {"m_2": 0.0, "v": 0.0, **({"m_1": 0.0} if beta_1 else {})}

    def shared(self, t: Tensor) -> dict[str, Any]:
        done = ops.where(t < self.warmup_steps, t / max(self.warmup_steps, 1), 1.0)  # t/T
        fast = -1 / math.log(self.beta_1) if self.beta_1 else 0.0
        memory = (1 - done) * fast + done * (-1 / math.log(self.beta_3))
        fresh = -ops.expm1(-1 / memory)  # 1 - β₃(t), with all its digits
        return {**super().shared(t), "alpha": self.alpha * done, "fresh": fresh}

    def update(self, w, g, m_2, v, *m_1, lr, t, c1, c2, alpha, fresh):
        m_1 = [self.beta_1 * m + (1 - self.beta_1) * g for m in m_1]
        m_2 = m_2 + fresh * (g - m_2)
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        fast = m_1[0] / c1 if m_1 else g
        return w - lr * (fast + alpha * m_2) / (ops.sqrt(v / c2) + self.epsilon), m_2, v, *m_1
