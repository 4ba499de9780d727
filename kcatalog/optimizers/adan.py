from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.moments import one_minus_power
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models",
        "Xie, Zhou, Li, Lin, Yan",
        2022,
        "https://arxiv.org/abs/2208.06677",
        "algorithm 1",
    ),
    space={"learning_rate": Float(1e-4, 0.1, log=True)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.9, "beta_3": 0.95}),
)
class Adan(MomentOptimizer):
    """Adan: adaptive steps with Nesterov momentum, estimated from differences of gradients.

    Nesterov momentum needs the gradient at a point ahead. Adan estimates it by adding to the
    gradient its change since the last step. It stands rates five to ten times Adam's, and large
    batches. It keeps twice as much memory as Adam, so where memory is short, take another.

    Maths:
        `w ← w - η (m̂ + β₂ v̂) / (√n̂ + ε)`, with the difference `d = g - g'` from the gradient
        `g'` of the step before (0 in the first step), `m ← β₁ m + (1 - β₁) g`,
        `v ← β₂ v + (1 - β₂) d`, `n ← β₃ n + (1 - β₃)(g + β₂ d)²`, and `m̂ = m / (1 - β₁ᵗ)`,
        `v̂ = v / (1 - β₂ᵗ)`, `n̂ = n / (1 - β₃ᵗ)`.

    Args:
        beta_1: `β₁`, the decay of the mean of gradients, in [0, 1). The paper's is one minus it.
        beta_2: `β₂`, the decay of the mean of differences, in [0, 1). The paper's is one minus it.
        beta_3: `β₃`, the decay of the second moment, in [0, 1). The paper's is one minus it.

    Shapes:
        Four slots per weight, `m`, `v`, `n` and the last gradient, of the weight's shape.

    Behaviour:
        Weight decay is Keras's, `w ← w - η λ w`; the paper divides by `1 + η λ`. optax decays
        `v` by 0.92 and yet multiplies it by `1 - 0.92` in the step, so its look-ahead is 12 times
        shorter than the paper's.

    Example:
        In the second step the gradient falls from 5 to 4, and is expected to fall further:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), Adan(0.1)
        >>> for g in (5.0, 4.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        ...     print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}", end=" ")
        0.9000 0.8032
    """

    slots = {"m": 0.0, "v": 0.0, "n": 0.0, "g": 0.0}

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.beta_3 = checks.number(self, "beta_3", beta_3, "[0, 1)")

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {**super().shared(t), "c3": one_minus_power(self.beta_3, t)}

    def update(self, w, g, m, v, n, last_g, lr, t, c1, c2, c3):
        d = ops.where(t == 1, 0.0, g - last_g)
        ahead = g + self.beta_2 * d
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * d
        n = self.beta_3 * n + (1 - self.beta_3) * ahead * ahead
        step = (m / c1 + self.beta_2 * (v / c2)) / (ops.sqrt(n / c3) + self.epsilon)
        return w - lr * step, m, v, n, g
