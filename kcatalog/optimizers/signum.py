from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "signSGD: Compressed Optimisation for Non-Convex Problems",
        "Bernstein, Wang, Azizzadenesheli, Anandkumar",
        2018,
        "https://arxiv.org/abs/1802.04434",
        "algorithm 2",
    ),
    equation="w ← w - η sign(m), m the moving mean of g",
    space={"learning_rate": Float(1e-5, 0.01, log=True), "momentum": Choice(0.0, 0.9, 0.99)},
    example=Example({"learning_rate": 0.02, "momentum": 0.8}),
)
class Signum(Optimizer):
    """Signum: every element moves by the learning rate, along the sign of the mean gradient.

    With `momentum=0` it is signSGD. It needs one bit per element from each worker, half of
    Adam's memory, and no scale of the gradient. It works where gradients are dense and their
    noise is symmetric; elements whose gradient is nearly 0 jitter by the rate, so let it decay to
    0. `keras.optimizers.Lion` keeps two means of different memory in the same slot.

    Maths:
        `w ← w - η sign(m)`, with `m ← β m + (1 - β) g` and `β` = `momentum`.

    Args:
        momentum: `β`, in [0, 1).

    Shapes:
        One slot per weight, `m`, of the weight's shape. Without momentum none.

    Behaviour:
        An element whose `m` is 0 stays as it is. `m` needs no correction: the sign is the same.

    Example:
        The mean of the gradients decides, not the last one:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), Signum(0.1)
        >>> for g in (5.0, -1.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}")
        0.8000
    """

    def __init__(self, learning_rate: LearningRate = 1e-4, momentum: float = 0.9, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.momentum = checks.number(self, "momentum", momentum, "[0, 1)")
        self.slots = {"m": 0.0} if momentum else {}

    def update(self, w, g, *m, lr, t):
        m = [self.momentum * m + (1 - self.momentum) * g for m in m]
        return w - lr * ops.sign(m[0] if m else g), *m
