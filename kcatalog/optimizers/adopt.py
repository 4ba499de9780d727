from typing import Any

from keras import ops

from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate",
        "Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa, Matsuo",
        2024,
        "https://arxiv.org/abs/2411.02853",
        "algorithm 2, clipped",
    ),
    equation="m ← β₁ m + (1 - β₁) clip(g / max(√v, ε), ±c), w ← w - η m, and then v",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "beta_2": Choice(0.99, 0.999, 0.9999)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.99}),
)
class ADOPT(MomentOptimizer):
    """ADOPT: Adam in another order, which converges whatever `β₂` is.

    Adam divides by a root that contains the gradient itself, and can fail to converge for it.
    ADOPT divides by the root of the steps before, and takes the mean after that. Use it where
    Adam is unstable or `β₂` would have to be tuned; its rates are Adam's.

    Maths:
        `m ← β₁ m + (1 - β₁) clip(g / max(√v, ε), -c, c)`, `w ← w - η m`, and only then
        `v ← β₂ v + (1 - β₂) g²`, where `c = (t - 1)^(1/4)`. The first gradient moves nothing: it
        gives `v ← g²`.

    Args:
        epsilon: `ε`, the least divisor, in (0, inf).

    Behaviour:
        `c` is that of the paper's revision; the first version does not clip. Differs from the
        paper: each element of a weight begins with its first gradient other than 0, not all with
        that of the first step. So rows of an embedding that come late, and layers that are
        unfrozen, do not begin with `g / ε`. pytorch_optimizer has `c = t^(1/4)`.

    Example:
        The second gradient is three times the root of `v`, clipped to `1^(1/4)`:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), ADOPT(0.1)
        >>> for g in (1.0, 3.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        ...     print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}", end=" ")
        1.0000 0.9900
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.9999,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {"c": (t - 1) ** 0.25}

    def update(self, w, g, m, v, lr, t, c):
        first = v == 0
        root = ops.sqrt(v)
        scaled = ops.where(first, 0.0, g / ops.where(root < self.epsilon, self.epsilon, root))
        m = self.beta_1 * m + (1 - self.beta_1) * ops.clip(scaled, -c, c)
        v = ops.where(first, g * g, self.beta_2 * v + (1 - self.beta_2) * g * g)
        return w - lr * m, m, v
