from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import larger
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "Training Deep Networks without Learning Rates Through Coin Betting",
        "Orabona, Tommasi",
        2017,
        "https://arxiv.org/abs/1705.07795",
        "algorithm 2",
    ),
    equation="w ← w₁ - Σg (L + R) / (L max(Σ|g| + L, α L))",
    space={"alpha": Float(10.0, 1000.0, log=True)},
    example=Example({"alpha": 10.0}),
)
class COCOB(Optimizer):
    """COCOB-Backprop: steps are bets on the gradient's next sign, without a learning rate.

    Each weight starts with a little money, bets a share of it in the direction in which gradients
    have pointed, and wins or loses with the next gradient. For small networks when there is no
    time to tune a rate. A tuned Adam is better, and `Prodigy` needs no rate either.

    Maths:
        `L ← max(L, |g|)`, `G ← G + |g|`, `θ ← θ - g`, `R ← max(R - g u, 0)`,
        `u' = θ (L + R) / (L max(G + L, α L))`, `w ← w + η (u' - u)`, `u ← u'`, where `u` is the
        distance from the first weight; all start at 0, `η` = `learning_rate`.

    Args:
        learning_rate: `η`, in [0, inf), or a schedule. The algorithm has none: leave it at 1.
        alpha: `α`, in [1, inf): in the first `α` steps bets are smaller.

    Shapes:
        Five slots per weight, `L`, `G`, `θ`, `R` and `u`, of the weight's shape.

    Behaviour:
        Multiplying the loss by a factor changes nothing. TensorFlow Addons and optax start `L` at
        1e-8, which differs for smaller gradients; optax multiplies gradients by its rate.

    Example:
        The first bet is `1 / α`, whatever the gradient:

        >>> import keras
        >>> w = keras.Variable([0.0])
        >>> optimizer = COCOB(alpha=100.0)
        >>> optimizer.apply([keras.ops.array([-7.0])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(4))
        [0.01]
    """

    slots = {"largest": 0.0, "total": 0.0, "theta": 0.0, "reward": 0.0, "moved": 0.0}

    def __init__(self, learning_rate: LearningRate = 1.0, alpha: float = 100.0, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.alpha = checks.number(self, "alpha", alpha, "[1, inf)")

    def update(self, w, g, L, G, theta, R, u, lr, t):
        L = larger(L, ops.abs(g))
        G = G + ops.abs(g)
        theta = theta - g
        R = larger(0.0 * u, R - g * u)
        safe = ops.where(L == 0, 1.0, L)  # where there was no gradient yet, theta is 0
        new = theta / safe * (L + R) / larger(G + safe, self.alpha * safe)
        return w + lr * (new - u), L, G, theta, R, new
