import keras

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.sparsity import group_penalty, groups_of
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Model Selection and Estimation in Regression with Grouped Variables",
        "Yuan, Lin",
        2006,
        "https://doi.org/10.1111/j.1467-9868.2005.00532.x",
        "equation 2.1",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-6, 1e-2, log=True), "axis": Choice(-1, -2)},
    example=Example({"factor": 0.1, "axis": -2}, shape=(4, 3)),
)
class GroupLasso(keras.regularizers.Regularizer):
    """Group lasso: the unsquared Euclidean norm of each group of weights.

    L1 sparsifies single weights, which a dense matrix product cannot use; the group lasso
    sparsifies whole units, which can be cut out. With the last axis the groups are output units
    (filters); with the last but one, what each input unit feeds, or the heads of an attention
    layer's `query`, `key` and `value`. Gradient descent brings a group close to zero and not
    exactly there: prune below a threshold, or use
    `kcatalog.optimizers.ProximalRegularization` instead.

    Maths:
        `Ω = λ Σ_g √p ‖w_g‖`, with `λ` = `factor`, `w_g` = the weights at `group_size` consecutive
        indices of `axis` and `p` = how many these are.

    Args:
        factor: `λ`, a number in [0, inf).
        axis: The axis whose indices are the groups, an integer in (-inf, inf).
        group_size: The number of consecutive indices in a group, an integer in [1, inf): the units
            of a head, where a dense kernel holds the heads side by side.

    Shapes:
        A weight of any shape that has `axis`; the penalty is a scalar.

    Behaviour:
        A group that is exactly zero has gradient zero (a subgradient). Half precision is computed
        in float32.

    Example:
        Output units (3, 4) and (0, 0) have norms 5 and 0, and p = 2:

        >>> penalty = GroupLasso(factor=1.0)
        >>> round(float(penalty(keras.ops.convert_to_tensor([[3.0, 0.0], [4.0, 0.0]]))), 4)
        7.0711
    """

    def __init__(self, factor: float = 0.01, axis: int = -1, group_size: int = 1):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
        self.group_size = checks.integer(self, "group_size", group_size, "[1, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        groups = groups_of(self, at_least_float32(w), self.axis, self.group_size)
        return self.factor * group_penalty(groups)
