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
        "Efficient Learning using Forward-Backward Splitting",
        "Duchi, Singer",
        2009,
        "https://papers.nips.cc/paper/3793-efficient-learning-using-forward-backward-splitting",
        "equations 2, 3 and 19, with Adagrad's rates",
    ),
    equation="w ← sign(u) max(|u| - ρ l₁, 0) / (1 + ρ l₂) with u = w - ρ g, ρ = η / √a",
    space={
        "learning_rate": Float(1e-3, 1.0, log=True),
        "l1": Float(0.0, 0.1),
        "l2": Float(0.0, 0.1),
    },
    example=Example({"learning_rate": 0.5, "l1": 1e-3}),
)
class ProximalAdagrad(Optimizer):
    """Proximal Adagrad: Adagrad with L1 and L2 penalties that make weights exactly zero.

    A gradient step on an L1 penalty leaves weights that jump around zero. Here the penalty is
    applied exactly, after the step on the loss, and weights that do not pay for themselves become
    and stay 0. For sparse linear models; for other models prefer `keras.optimizers.Adagrad`.

    Maths:
        `a ← a + g²`, `ρ = η / √a`, `u = w - ρ g`,
        `w ← sign(u) max(|u| - ρ l₁, 0) / (1 + ρ l₂)`, which minimizes
        `(w - u)² / 2 + ρ l₁ |w| + ρ l₂ w² / 2`.

    Args:
        l1: `l₁`, the penalty on `|w|`, in [0, inf).
        l2: `l₂`, the penalty on `w² / 2`, in [0, inf).
        initial_accumulator_value: `a` before the first step, in (0, inf).

    Shapes:
        One slot per weight, `a`, of the weight's shape.

    Behaviour:
        Penalties act on every weight, biases included, and are not part of the reported loss.

    Example:
        The step ends at 0.4, and the penalty takes 0.1 of that:

        >>> import keras
        >>> w = keras.Variable([0.0, 1e-3])
        >>> optimizer = ProximalAdagrad(0.4, l1=1.0, initial_accumulator_value=7.0)
        >>> optimizer.apply([keras.ops.array([-3.0, 0.0])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(4))
        [0.2 0. ]
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        l1: float = 0.0,
        l2: float = 0.0,
        initial_accumulator_value: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.l1 = checks.number(self, "l1", l1, "[0, inf)")
        self.l2 = checks.number(self, "l2", l2, "[0, inf)")
        self.initial_accumulator_value = checks.number(
            self, "initial_accumulator_value", initial_accumulator_value, "(0, inf)"
        )
        self.slots = {"accumulator": self.initial_accumulator_value}

    def update(self, w, g, a, lr, t):
        a = a + g * g
        rho = lr / ops.sqrt(a)
        u = w - rho * g
        w = ops.sign(u) * larger(0.0 * u, ops.abs(u) - rho * self.l1) / (1 + rho * self.l2)
        return w, a
