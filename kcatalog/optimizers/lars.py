from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.norms import norm
from kcatalog.ops.precision import smaller
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "Large Batch Training of Convolutional Networks",
        "You, Gitman, Ginsburg",
        2017,
        "https://arxiv.org/abs/1708.03888",
        "algorithm 1",
    ),
    equation="v ← μ v + γ λ (g + β w) with λ = η ‖w‖ / (‖g‖ + β ‖w‖), w ← w - v",
    space={
        "learning_rate": Float(0.01, 30.0, log=True),
        "trust_coefficient": Float(1e-3, 1e-2, log=True),
        "clip": Choice(False, True),
    },
    example=Example(
        {
            "learning_rate": 0.5,
            "trust_coefficient": 0.02,
            "momentum": 0.75,
            "exclude_vectors": False,
        }
    ),
)
class LARS(Optimizer):
    """LARS: momentum whose step on each weight is in proportion to the weight's norm.

    Layers differ in the ratio of gradient to weight by orders of magnitude, and one rate for all
    diverges in some while others hardly move. Here each layer has a rate of its own. Made for
    batches of thousands of images, with a warm-up (`schedules.WarmUp`) and a rate decay. For
    small batches and for transformers prefer `keras.optimizers.SGD`, `Lamb` or `AdamW`.

    Maths:
        `λ = η ‖w‖ / (‖g‖ + β ‖w‖)`, `v ← μ v + γ λ (g + β w)`, `w ← w - v`, with
        `γ` = `learning_rate`, for each weight. LARC (`clip`) has `min(λ, γ)` in place of `γ λ`.

    Args:
        momentum: `μ`, in [0, 1).
        coupled_decay: `β`, the weight decay inside the ratio, in [0, inf).
        trust_coefficient: `η`, the largest relative change of a weight at `γ` = 1, in (0, inf).
        clip: LARC: never step further than `keras.optimizers.SGD` would. `learning_rate` is then
            a bound, and usually 0.1 or less.
        exclude_vectors: let biases, scales and other weights with less than two axes take plain
            steps (`λ` = 1, `β` = 0), as is usual.

    Shapes:
        One slot per weight, `v`, of the weight's shape.

    Behaviour:
        A weight of norm 0, and one without gradient and decay, has `λ` = 1 (with `clip`, the rate
        `γ`). Keras's own
        `weight_decay` acts beside the ratio: leave it at None. optax has `‖g + β w‖` in the ratio;
        pytorch_optimizer applies `γ` behind the momentum, which differs while `γ` changes.

    Example:
        A weight of norm 5 moves by 0.02 · 5, whatever the gradient's size:

        >>> import keras
        >>> w = keras.Variable([[3.0, 4.0]])
        >>> optimizer = LARS(1.0, trust_coefficient=0.02)
        >>> optimizer.apply([keras.ops.array([[0.0, 700.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(4))
        [[3.  3.9]]
    """

    slots = {"v": 0.0}
    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 1.0,
        momentum: float = 0.9,
        coupled_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        clip: bool = False,
        exclude_vectors: bool = True,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.momentum = checks.number(self, "momentum", momentum, "[0, 1)")
        self.coupled_decay = checks.number(self, "coupled_decay", coupled_decay, "[0, inf)")
        self.trust_coefficient = checks.number(
            self, "trust_coefficient", trust_coefficient, "(0, inf)"
        )
        self.clip = checks.boolean(self, "clip", clip)
        self.exclude_vectors = checks.boolean(self, "exclude_vectors", exclude_vectors)

    def update(self, w, g, v, lr, t):
        if self.exclude_vectors and len(w.shape) < 2:
            step = lr * g
        else:
            step = self._rate(w, g, lr) * (g + self.coupled_decay * w)
        v = self.momentum * v + step
        return w - v, v

    def _rate(self, w, g, lr):
        w_norm, g_norm = norm(w), norm(g)
        total = g_norm + self.coupled_decay * w_norm
        zero = ops.logical_or(w_norm == 0, total == 0)
        trust = self.trust_coefficient * w_norm / ops.where(zero, 1.0, total)
        return ops.where(zero, lr, smaller(lr, trust) if self.clip else lr * trust)
