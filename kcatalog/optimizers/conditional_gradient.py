import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.norms import unit
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "Constrained Deep Learning using Conditional Gradient and Applications in Computer Vision",
        "Ravi, Dinh, Lokhande, Singh",
        2018,
        "https://arxiv.org/abs/1803.06453",
        "algorithm 1",
    ),
    equation="w ← (1 - γ) w + γ s with s = argmin ⟨g, s⟩ over ‖s‖ ≤ λ",
    space={
        "learning_rate": Float(1e-3, 0.1, log=True),
        "norm": Choice("frobenius", "nuclear"),
    },
    example=Example({"learning_rate": 0.02, "radius": 10.0}),
)
class ConditionalGradient(Optimizer):
    """Conditional gradient (Frank-Wolfe): weights that stay in a ball, without projections.

    Each step goes a share of the way to the point of the ball that the gradient points to, so that
    the weights are averages of such points: in the ball of the nuclear norm, of matrices of rank
    one. For models with a bound on their norm or rank. The share has to fall, for instance as
    `2 / (t + 2)`. Without a need for the bound, SGD with weight decay is simpler and faster.

    Maths:
        `w ← (1 - γ) w + γ s` for each weight, with `γ` = `learning_rate`, `λ` = `radius` and
        `s = -λ g / ‖g‖`; in the ball of the nuclear norm `s = -λ u vᵀ`, with the first singular
        vectors `u`, `v` of `g`.

    Args:
        learning_rate: `γ`, the share of the way, in [0, inf), or a schedule; at most 1.
        radius: `λ`, the radius of the ball, in (0, inf).
        norm: "frobenius" (the Euclidean norm of all entries) or "nuclear" (the sum of singular
            values).

    Shapes:
        No slots. For the nuclear norm the last axis of a weight is its columns, all others its
        rows; a vector is one row.

    Behaviour:
        A weight whose gradient is 0 stays. A weight that starts outside of the ball approaches it.
        In TensorFlow Addons `1 - learning_rate` is the share, gradient 0 shrinks the weight, and
        the nuclear norm fails for more than two axes. The nuclear norm takes a singular value
        decomposition of each weight in each step.

    Example:
        A tenth of the way to (0, -5):

        >>> import keras
        >>> w = keras.Variable([1.0, 0.0])
        >>> optimizer = ConditionalGradient(0.1, radius=5.0)
        >>> optimizer.apply([keras.ops.array([0.0, 3.0])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(4))
        [ 0.9 -0.5]
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        radius: float = 1.0,
        norm: str = "frobenius",
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.radius = checks.number(self, "radius", radius, "(0, inf)")
        self.norm = checks.choice(self, "norm", norm, ("frobenius", "nuclear"))

    def update(self, w, g, lr, t):
        u = unit(g)
        if self.norm == "nuclear":
            u = _leading(u)
        s = ops.where(ops.all(g == 0), w, -self.radius * u)
        return (w + lr * (s - w),)


def _leading(g):
    """Return the product of the first singular vectors of a weight as a matrix."""
    columns = g.shape[-1] if g.shape else 1
    matrix = ops.reshape(g, (math.prod(g.shape) // columns, columns))
    u, _, vt = ops.svd(matrix, full_matrices=False)
    return ops.reshape(u[:, :1] * vt[:1], g.shape)
