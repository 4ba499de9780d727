from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "Adaptive Methods for Nonconvex Optimization",
        "Zaheer, Reddi, Sachan, Kale, Kumar",
        2018,
        "https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization",
        "algorithm 2",
    ),
    equation="v ← v - (1 - β₂) sign(v - g²) g²",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "epsilon": Float(1e-4, 1e-2, log=True)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "epsilon": 1e-2}),
)
class Yogi(MomentOptimizer):
    """Yogi: Adam with a second moment that grows no faster than the gradient's square allows.

    Adam's second moment forgets large gradients at the rate of its size, so it can fall quickly
    and let the step explode after a stretch of small, sparse gradients. Yogi changes it by at most
    `(1 - β₂) g²` in either direction. For sparse or very noisy gradients, and where Adam diverges
    late in training. On well-scaled problems the two take nearly the same steps.

    Maths:
        `m ← β₁ m + (1 - β₁) g`, `v ← v - (1 - β₂) sign(v - g²) g²`,
        `w ← w - η m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β₁ᵗ)` and `v̂ = v / (1 - β₂ᵗ)`.

    Args:
        epsilon: `ε`, added to the root, in (0, inf). The paper's 1e-3 is much larger than Adam's.
        initial_accumulator_value: `v` before the first step, in [0, inf).

    Behaviour:
        Differs from the paper: moments are corrected for their start, as in TensorFlow Addons,
        optax and pytorch_optimizer. The last two also start `m` at the initial value of `v`;
        TensorFlow Addons does not correct `ε`.

    Example:
        The first step is the learning rate, whatever the gradient's size:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = Yogi(0.1, epsilon=1e-7, initial_accumulator_value=0.0)
        >>> optimizer.apply([keras.ops.array([5.0])], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}")
        0.9000
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-3,
        initial_accumulator_value: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.initial_accumulator_value = checks.number(
            self, "initial_accumulator_value", initial_accumulator_value, "[0, inf)"
        )
        self.slots = {"m": 0.0, "v": self.initial_accumulator_value}

    def update(self, w, g, m, v, lr, t, c1, c2):
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = v - (1 - self.beta_2) * ops.sign(v - g * g) * g * g
        return w - lr * (m / c1) / (ops.sqrt(v / c2) + self.epsilon), m, v
