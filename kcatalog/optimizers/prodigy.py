from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.moments import one_minus_power
from kcatalog.ops.precision import larger
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "Prodigy: An Expeditiously Adaptive Parameter-Free Learner",
        "Mishchenko, Defazio",
        2024,
        "https://arxiv.org/abs/2306.06101",
        "algorithm 4",
    ),
    equation="w ← w - γ d m / (√v + d ε), where d grows towards the distance from start to optimum",
    space={"growth": Float(0.5, 2.0, log=True), "bias_correction": Choice(False, True)},
    example=Example({"initial_distance": 1e-3, "beta_1": 0.8, "bias_correction": True}),
    exemptions={"steps_of_each_weight": "its learning rate comes from all weights together"},
)
class Prodigy(Optimizer):
    """Prodigy: Adam that finds its own learning rate.

    Adam's best rate is in proportion to the distance `D` from the first weights to the solution.
    Prodigy keeps an estimate `d` of it, which grows by a factor of its own within some dozens of
    steps and never falls. Leave `learning_rate` at 1 and give it a schedule that ends at 0
    (cosine). For fine-tuning and for models whose rate nobody has tuned; a rate that was tuned on
    the task is rarely beaten. Small batches that make gradients mostly noise let `d` grow slowly.

    Maths:
        `m ← β₁ m + (1 - β₁) d g`, `v ← β₂ v + (1 - β₂) d² g²`,
        `r ← β₃ r + (1 - β₃) γ d² ⟨g, w₀ - w⟩`, `s ← β₃ s + (1 - β₃) γ d² g`,
        `w ← w - γ d (m / (√v + d ε) + λ w)`, then `d ← max(d, a r / ‖s‖₁)`, with
        `γ` = `learning_rate`, `w₀` the first weights, `β₃ = √β₂`; `r`, `d` and `‖s‖₁` are those of
        all weights together.

    Args:
        beta_1: `β₁`, the decay of the mean of gradients, in [0, 1).
        beta_2: `β₂`, the decay of the mean of their squares, in (0, 1).
        epsilon: `ε`, added to the root, in (0, inf).
        initial_distance: `d` before the first step, in (0, inf). It should be far too small:
            too large a value stays.
        growth: `a`, by which each estimate is multiplied, in (0, inf). The one to tune.
        decay: `λ`, decoupled weight decay in proportion to the step, in [0, inf).
        bias_correction: multiply `γ` by `√(1 - β₂ᵗ) / (1 - β₁ᵗ)`, as Adam does.

    Shapes:
        Four slots per weight, `m`, `v`, `s` and `w₀`, of the weight's shape, and one number.

    Behaviour:
        Keras's own `weight_decay` is multiplied by `learning_rate`, not by `d`: use `decay`.
        A weight's `w₀` is what it holds at its own first step. `r` and `s` are kept multiplied by
        `1 / initial_distance`, which cancels. The peers, prodigyopt and optax, add `d ε` with the
        new `d`; optax always corrects for bias.

    Example:
        From far too small a rate it arrives; Adam with this rate would have moved by 0.0001:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = Prodigy()
        >>> for _ in range(100):
        ...     optimizer.apply([w.value - 4.0], [w])
        >>> 3.0 < float(keras.ops.convert_to_numpy(w.value)[0]) < 5.0, optimizer.distance > 0.01
        (True, True)
    """

    slots = {"m": 0.0, "v": 0.0, "s": 0.0, "first": 0.0, "started": "scalar"}
    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        initial_distance: float = 1e-6,
        growth: float = 1.0,
        decay: float = 0.0,
        bias_correction: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = checks.number(self, "beta_1", beta_1, "[0, 1)")
        self.beta_2 = checks.number(self, "beta_2", beta_2, "(0, 1)")
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.initial_distance = checks.number(
            self, "initial_distance", initial_distance, "(0, inf)"
        )
        self.growth = checks.number(self, "growth", growth, "(0, inf)")
        self.decay = checks.number(self, "decay", decay, "[0, inf)")
        self.bias_correction = checks.boolean(self, "bias_correction", bias_correction)

    @property
    def distance(self) -> float:
        """The estimate `d`, a number; after `build`."""
        return float(ops.convert_to_numpy(self._d.value))

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        dtype = "float64" if keras.config.floatx() == "float64" else "float32"
        one = {"dtype": dtype, "aggregation": "only_first_replica"}
        start = keras.initializers.Constant(self.initial_distance)
        self._d = self.add_variable((), start, name="distance", **one)
        self._r = self.add_variable((), name="numerator", **one)

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {"rate": self._correction(t)}

    def _correction(self, t):
        if not self.bias_correction:
            return ops.ones_like(t)
        return ops.sqrt(one_minus_power(self.beta_2, t)) / one_minus_power(self.beta_1, t)

    def across(self, groups: Any, lr: Tensor, t: Tensor) -> dict[str, Any]:
        d, beta_3 = self._d.value + 0.0, self.beta_2**0.5  # a copy: PyTorch assigns in place
        rate = ops.cast(lr * self._correction(t), d.dtype)
        scale = (1 - beta_3) * rate * d * (d / self.initial_distance)
        r, size = beta_3 * self._r.value, ops.zeros_like(d)
        for w, g, _, _, s, first, started in groups:
            way = ops.sum(g * (ops.where(started > 0, first, w) - w))
            new_s = beta_3 * s + ops.cast(scale, g.dtype) * g
            r = r + scale * ops.cast(way, d.dtype)
            size = size + ops.cast(ops.sum(ops.abs(new_s)), d.dtype)
        self._r.assign(r)
        self._d.assign(larger(self.growth * r / ops.where(size == 0, 1.0, size), d))
        return {"d": d}

    def update(self, w, g, m, v, s, first, started, lr, t, rate, d):
        first = ops.where(started > 0, first, w)
        beta_3, rate = self.beta_2**0.5, lr * rate
        m = self.beta_1 * m + (1 - self.beta_1) * d * g
        v = self.beta_2 * v + (1 - self.beta_2) * (d * g) * (d * g)
        s = beta_3 * s + (1 - beta_3) * rate * d * (d / self.initial_distance) * g
        step = m / (ops.sqrt(v) + d * self.epsilon) + self.decay * w
        return w - rate * d * step, m, v, s, first, ops.ones_like(started)
