from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "Adaptivity without Compromise: A Momentumized, Adaptive, Dual Averaged Gradient Method "
        "for Stochastic Optimization",
        "Defazio, Jelassi",
        2021,
        "https://arxiv.org/abs/2101.11075",
        "algorithm 1",
    ),
    equation="w ← β w + (1 - β)(w₀ - s / (∛v + ε))",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "momentum": Choice(0.0, 0.8, 0.9)},
    example=Example({"learning_rate": 0.05, "momentum": 0.8}),
)
class MADGRAD(Optimizer):
    """MADGRAD: dual averaging with adaptive steps and momentum.

    The weight is the start minus the sum of all gradients, later ones counting more, over the cube
    root of their squares. It generalizes like SGD on images, where Adam does not, and trains
    Transformers like Adam. Tune the rate anew: it is not Adam's nor SGD's. It needs less weight
    decay than they do, often none.

    Maths:
        `w ← β w + (1 - β) z` with `z = w₀ - s / (∛v + ε)`, where `λ = η √t`, `s ← s + λ g`,
        `v ← v + λ g²`, `β` = `momentum` (the paper's `1 - c`), and `w₀` the start.

    Args:
        momentum: `β`, in [0, 1).
        epsilon: `ε`, added to the cube root, in (0, inf).

    Shapes:
        Three slots per weight, `s`, `v` and `d = w - w₀`, of the weight's shape. Without momentum,
        `d` is `-s / (∛v + ε)` and has no slot.

    Behaviour:
        `w₀` is not stored: what else moves the weight (weight decay, a constraint, new values that
        are loaded) moves `w₀` along, so weight decay is not undone by the next step, as it is
        where `w₀` stands still. optax and pytorch_optimizer add `ε` to the rate as well.

    Example:
        The first step without momentum is `η g / ∛(η g²)`, here `0.8 / ∛6.4`:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), MADGRAD(0.1, momentum=0.0)
        >>> optimizer.apply([keras.ops.array([8.0])], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}")
        0.5691
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.9,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.momentum = checks.number(self, "momentum", momentum, "[0, 1)")
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.slots = {"s": 0.0, "v": 0.0, **({"d": 0.0} if momentum else {})}

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {"root": t**0.5}

    def update(self, w, g, s, v, *d, lr, t, root):
        old = d[0] if d else self._average(s, v)
        s = s + lr * root * g
        v = v + lr * root * g * g
        new = self.momentum * old + (1 - self.momentum) * self._average(s, v)
        return w + (new - old), s, v, *([new] if d else [])

    def _average(self, s, v):
        """Return `z - w₀`."""
        root = ops.exp(ops.log(v) / 3)  # a third of the time of a power; 0 at 0
        return -s / (root + self.epsilon)
