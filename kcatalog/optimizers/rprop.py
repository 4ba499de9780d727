from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import larger, smaller
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate


@component(
    paper=Paper(
        "Empirical Evaluation of the Improved Rprop Learning Algorithms",
        "Igel, Hüsken",
        2003,
        "https://doi.org/10.1016/S0925-2312(01)00700-7",
        "iRprop-",
    ),
    equation="w ← w - η s sign(g); s grows while sign(g) stays, and shrinks when it changes",
    space={"learning_rate": Float(1e-4, 0.1, log=True)},
    example=Example({"learning_rate": 0.05, "grow": 1.25}),
)
class Rprop(Optimizer):
    """Rprop: each weight steps by a size of its own, whatever the size of the gradient.

    The step grows while the gradient keeps its sign, and is halved when a minimum was jumped over.
    For training on the whole data set at once, where it needs almost no tuning. Not for small
    batches, whose gradients change sign by chance: there `keras.optimizers.RMSprop` is its heir.

    Maths:
        `s ← min(s p, s_max)` where `g g' > 0`; `s ← max(s q, s_min)` and `g ← 0` where `g g' < 0`;
        `w ← w - η s sign(g)`, `g' ← g`, with `s` = 1 and `g'` = 0 at first, `η` = `learning_rate`,
        `p` = `grow`, `q` = `shrink`.

    Args:
        grow: `p`, in (1, inf).
        shrink: `q`, in (0, 1).
        min_scale: `s_min`, the least size of a step as a multiple of `η`, in (0, 1].
        max_scale: `s_max`, the largest, in [1, inf).

    Shapes:
        Two slots per weight, `s` and `g'`, of the weight's shape.

    Behaviour:
        This is iRprop-: after a change of sign a weight stays for a step, as in PyTorch. Riedmiller
        and Braun (1993) take the last step back instead. PyTorch limits the step `η s`; here `s` is
        limited, so that a schedule scales every step. optax (0.2.8) takes steps one gradient late.

    Example:
        Two steps in one direction, the second 1.2 times as long:

        >>> import keras
        >>> w = keras.Variable([0.0])
        >>> optimizer = Rprop(1.0)
        >>> optimizer.apply([keras.ops.array([-5.0])], [w])
        >>> optimizer.apply([keras.ops.array([-0.1])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(4))
        [2.2]
    """

    slots = {"scale": 1.0, "last": 0.0}

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        grow: float = 1.2,
        shrink: float = 0.5,
        min_scale: float = 1e-4,
        max_scale: float = 5000.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.grow = checks.number(self, "grow", grow, "(1, inf)")
        self.shrink = checks.number(self, "shrink", shrink, "(0, 1)")
        self.min_scale = checks.number(self, "min_scale", min_scale, "(0, 1]")
        self.max_scale = checks.number(self, "max_scale", max_scale, "[1, inf)")

    def update(self, w, g, s, last, lr, t):
        same = ops.sign(g) * ops.sign(last)  # of the product, which may vanish
        s = ops.where(same > 0, smaller(s * self.grow, self.max_scale), s)
        s = ops.where(same < 0, larger(s * self.shrink, self.min_scale), s)
        g = ops.where(same < 0, 0.0 * g, g)
        return w - lr * s * ops.sign(g), s, g
