from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.moments import effective_length
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "On the Variance of the Adaptive Learning Rate and Beyond",
        "Liu, Jiang, He, Chen, Liu, Gao, Han",
        2020,
        "https://arxiv.org/abs/1908.03265",
        "algorithm 2",
    ),
    equation="w ← w - η r m̂ / (√v̂ + ε), with r from the variance of 1/√v̂",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "beta_2": Choice(0.99, 0.999, 0.9999)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.99}),
)
class RectifiedAdam(MomentOptimizer):
    """Rectified Adam (RAdam): Adam with a warm-up that follows from `β₂`.

    Adam's first steps divide by a root that is estimated from a few gradients and varies widely,
    which is why Transformers need a learning-rate warm-up. RAdam scales each step down by how
    uncertain the root is. Use it in place of a warm-up whose length would have to be tuned; with
    a tuned warm-up, Adam does as well. The first steps are those of SGD with momentum, so on
    gradients much larger than 1 combine it with `clipnorm`.

    Maths:
        `w ← w - η r m̂ / (√v̂ + ε)` if `ρ > 4`, else `w ← w - η m̂`, with Adam's `m̂` and `v̂`,
        `ρ = ρ_∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)`, `ρ_∞ = 2 / (1 - β₂) - 1` and
        `r² = (ρ - 4)(ρ - 2) ρ_∞ / ((ρ_∞ - 4)(ρ_∞ - 2) ρ)`. For `β₂ = 0.999`, `ρ` exceeds 4 from
        the fifth step on.

    Args:
        beta_2: `β₂`, the decay of the second moment, in (0.6, 1). With less, `ρ` never exceeds 4.

    Behaviour:
        The paper has no `ε`. `RectifiedAdam` of TensorFlow Addons has a threshold of 5 for `ρ`
        where the paper has 4, and so have PyTorch and optax, so their second moment acts one step
        later. Its `total_steps`, `warmup_proportion` and `min_lr` are a schedule's:
        `kcatalog.optimizers.schedules.WarmUp`. `ρ` is computed without loss of digits.

    Example:
        Four steps of SGD, then a first, cautious one of Adam:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), RectifiedAdam(0.1)
        >>> for _ in range(5):
        ...     optimizer.apply([keras.ops.array([5.0])], [w])
        ...     print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}", end=" ")
        0.5000 0.0000 -0.5000 -1.0000 -1.0017
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.beta_2 = checks.number(self, "beta_2", beta_2, "(0.6, 1)")

    def shared(self, t: Tensor) -> dict[str, Any]:
        rho, limit = effective_length(self.beta_2, t), 2 / (1 - self.beta_2) - 1
        tractable = rho > 4
        rho = ops.where(tractable, rho, limit)
        square = (rho - 4) * (rho - 2) / rho * (limit / ((limit - 4) * (limit - 2)))
        return {**super().shared(t), "tractable": tractable, "r": ops.sqrt(square)}

    def update(self, w, g, m, v, lr, t, c1, c2, tractable, r):
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        divisor = ops.where(tractable, (ops.sqrt(v / c2) + self.epsilon) / r, 1.0)
        return w - lr * (m / c1) / divisor, m, v
