import re
from collections.abc import Sequence
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.norms import norm
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
        "You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer, Hsieh",
        2020,
        "https://arxiv.org/abs/1904.00962",
        "algorithm 2",
    ),
    equation="u = m̂ / (√v̂ + ε) + λ w, w ← w - η (‖w‖ / ‖u‖) u",
    space={
        "learning_rate": Float(1e-4, 0.1, log=True),
        "coupled_decay": Choice(0.0, 1e-3, 1e-2),
    },
    example=Example(
        {"learning_rate": 0.01, "beta_1": 0.8, "exclude_from_adaptation": ["bias", "gamma"]}
    ),
)
class LAMB(MomentOptimizer):
    """LAMB: Adam whose step on each weight is in proportion to the weight's norm.

    Made for batches of thousands of samples, where one learning rate for all layers diverges in
    some and hardly moves others. `keras.optimizers.Lamb` adds the weight decay beside the ratio.
    Here it counts as a part of the step, as in the paper and in TensorFlow Addons, so a strong
    decay cannot make a step longer. Without decay and exclusions both are the same.

    Maths:
        `u = m̂ / (√v̂ + ε) + λ w`, `w ← w - η (‖w‖ / ‖u‖) u`, with Adam's `m̂` and `v̂`, and `λ` =
        `coupled_decay`. The ratio is 1 where `w` or `u` is zero.

    Args:
        epsilon: `ε`, added to the root, in (0, inf).
        coupled_decay: `λ`, the weight decay inside the ratio, in [0, inf).
        exclude_from_decay: Regular expressions: a weight whose path contains one has `λ` = 0,
            such as `["bias", "gamma", "beta"]`. None for none.
        exclude_from_adaptation: Regular expressions: a weight whose path contains one has the
            ratio 1. None for those of `exclude_from_decay`.

    Behaviour:
        Keras's own `weight_decay` acts beside the ratio: leave it at None.

    Example:
        A weight of norm 5 moves by a hundredth of that, whatever the gradient's size:

        >>> import keras
        >>> w = keras.Variable([[3.0, 4.0]])
        >>> optimizer = LAMB(0.01)
        >>> optimizer.apply([keras.ops.array([[0.0, 700.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(3))
        [[3.   3.95]]
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        coupled_decay: float = 0.0,
        exclude_from_decay: Sequence[str] | None = None,
        exclude_from_adaptation: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.coupled_decay = checks.number(self, "coupled_decay", coupled_decay, "[0, inf)")
        self.exclude_from_decay = self._names("exclude_from_decay", exclude_from_decay)
        self.exclude_from_adaptation = self._names(
            "exclude_from_adaptation", exclude_from_adaptation
        )

    def _names(self, argument, value):
        return value if value is None else checks.names(self, argument, value)

    def static(self, variable):
        path = getattr(variable, "path", variable.name)
        plain = self.exclude_from_adaptation
        plain = self.exclude_from_decay if plain is None else plain
        return {
            "λ": 0.0 if _found(self.exclude_from_decay, path) else self.coupled_decay,
            "adapts": not _found(plain, path),
        }

    def update(self, w, g, m, v, lr, t, c1, c2, λ, adapts):
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g**2
        u = m / c1 / (ops.sqrt(v / c2) + self.epsilon) + λ * w
        return w - lr * (_ratio(w, u) if adapts else 1.0) * u, m, v


def _found(patterns, path):
    return any(re.search(pattern, path) for pattern in patterns or ())


def _ratio(w, u):
    w_norm, u_norm = norm(w), norm(u)
    zero = ops.logical_or(w_norm == 0, u_norm == 0)
    return ops.where(zero, 1.0, w_norm / ops.where(zero, 1.0, u_norm))
