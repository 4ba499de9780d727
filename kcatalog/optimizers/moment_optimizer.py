"""The base of optimizers that divide a mean of gradients by a root mean square, as Adam does."""

from typing import Any

from kcatalog import checks
from kcatalog.ops.moments import one_minus_power
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.types import LearningRate, Tensor


class MomentOptimizer(Optimizer):
    """Base of Adam and its relatives: a first and a second moment beside each weight.

    A subclass states `update(w, g, m, v, lr, t, c1, c2)`; `m / c1` and `v / c2` are the moments
    corrected for their start at 0.

    Args:
        beta_1: `β₁`, the decay of the mean of gradients, in [0, 1).
        beta_2: `β₂`, the decay of the second moment, in [0, 1).
        epsilon: `ε`, added to the root, in (0, inf).

    Shapes:
        Two slots per weight, `m` and `v`, of the weight's shape.
    """

    slots = {"m": 0.0, "v": 0.0}

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = checks.number(self, "beta_1", beta_1, "[0, 1)")
        self.beta_2 = checks.number(self, "beta_2", beta_2, "[0, 1)")
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {"c1": one_minus_power(self.beta_1, t), "c2": one_minus_power(self.beta_2, t)}
