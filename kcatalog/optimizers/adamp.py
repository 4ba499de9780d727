import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.optimizers.wrappers.units import incoming_axes
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights",
        "Heo, Chun, Oh, Han, Yun, Kim, Uh, Ha",
        2021,
        "https://arxiv.org/abs/2006.08217",
        "algorithm 2",
    ),
    equation="w ← w - η (p - (u · p) u), with Adam's p and u = w / ‖w‖, where cos(w, g) is small",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "delta": Choice(0.05, 0.1, 0.2)},
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "delta": 0.05}),
)
class AdamP(MomentOptimizer):
    """AdamP: Adam whose steps do not lengthen weights that a normalization follows.

    A layer before batch or layer normalization computes the same at any length of its weights, so
    its gradients are at right angles to them, and momentum makes them longer and longer. The
    longer they are, the less a step turns them. AdamP takes the part along the weight out of the
    step, where it finds a weight to be of this kind. For networks with normalization; on others
    it is Adam.

    Maths:
        `w ← w - η q` with `q = p - (u · p) u` if `cos(w, g) < δ / √n`, else `q = p`, where
        `p = m̂ / (√v̂ + ε)` is Adam's step, `u = w / ‖w‖` and `n` the size of `w`. First each unit
        is one `w`: all of them have to fulfil it. If they do not, the whole weight is.

    Args:
        delta: `δ`, in [0, inf). 0 is Adam.

    Behaviour:
        Vectors and scalars are never projected. The cosine is taken without its sign. The units
        of a weight are told by its path, as Keras names it: the last axis of a kernel, the rows of
        an embedding. Weight decay is Keras's; the authors' code reduces it to a tenth for
        weights that are projected, and the largest cosine of the units decides, as here.

    Example:
        The gradient is at right angles to the weight, and Adam's step would be (0.1, 0.1):

        >>> import keras
        >>> w, optimizer = keras.Variable([[1.0], [2.0]]), AdamP(0.1)
        >>> optimizer.apply([keras.ops.array([[2.0], [-1.0]])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value)[:, 0].round(4))
        [0.88 2.06]
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        delta: float = 0.1,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.delta = checks.number(self, "delta", delta, "[0, inf)")

    def static(self, variable: keras.Variable) -> dict[str, Any]:
        return {"axes": incoming_axes(variable)}

    def update(self, w, g, m, v, lr, t, c1, c2, axes):
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        p = (m / c1) / (ops.sqrt(v / c2) + self.epsilon)
        if len(w.shape) > 1 and self.delta:
            p = p - self._share(w, g, p, axes) * w
        return w - lr * p, m, v

    def _share(self, w, g, p, axes):
        """Return how many times `w` is to be taken out of the step: for each unit, or for all."""
        n = math.prod(w.shape[a] for a in axes)
        of_units = [
            ops.sum(a * b, axis=axes, keepdims=True) for a, b in ((w, w), (g, g), (w, g), (w, p))
        ]
        of_whole = [ops.sum(a, keepdims=True) for a in of_units]
        share = ops.zeros_like(of_whole[0])
        for sums, size in ((of_whole, math.prod(w.shape)), (of_units, n)):
            w_w, g_g, w_g, w_p = sums
            norms = ops.sqrt(w_w) * ops.sqrt(g_g)
            # at right angles to every group: the units decide, if they do
            invariant = ops.all(ops.abs(w_g) * size**0.5 <= self.delta * norms)
            share = ops.where(invariant, w_p / ops.where(w_w > 0, w_w, 1.0), share)
        return share
