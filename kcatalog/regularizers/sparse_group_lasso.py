import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.norms import absolute
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.sparsity import group_penalty, groups_of
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "A Sparse-Group Lasso",
        "Simon, Friedman, Hastie, Tibshirani",
        2013,
        "https://doi.org/10.1080/10618600.2012.681250",
        "equation 2",
    ),
    tags=("penalty",),
    space={
        "factor": Float(1e-6, 1e-2, log=True),
        "l1_ratio": Float(0.0, 1.0),
        "axis": Choice(-1, -2),
    },
    example=Example({"factor": 0.1, "l1_ratio": 0.25, "axis": -2, "group_size": 2}, shape=(4, 6)),
)
class SparseGroupLasso(keras.regularizers.Regularizer):
    """Sparse group lasso: few groups, and few weights in the groups that stay.

    The group lasso drops whole units and keeps those that stay dense; L1 drops single weights
    and rarely empties a unit. A mixture does both. For layers that shall be pruned by units and
    stored sparsely besides. Gradient descent brings weights close to zero and not exactly there:
    prune below a threshold, or nest two `kcatalog.optimizers.ProximalRegularization`.

    Maths:
        `Ω = λ ((1 - α) Σ_g √p ‖w_g‖ + α Σ |w|)`, with `λ` = `factor`, `α` = `l1_ratio`,
        `w_g` = the weights at `group_size` consecutive indices of `axis` and `p` = how many these
        are.

    Args:
        factor: `λ`, a number in [0, inf).
        l1_ratio: `α`, the share of L1, a number in [0, 1]: 0 is the group lasso, 1 is L1.
        axis: The axis whose indices are the groups, an integer in (-inf, inf): -1 for output units
            and filters, -2 for input units, and for the heads of an attention layer's `query`,
            `key` and `value`; 0 for the heads of its `attention_output`.
        group_size: The number of consecutive indices in a group, an integer in [1, inf): the units
            of a head, where a dense kernel holds the heads side by side.

    Shapes:
        A weight of any shape that has `axis`; the penalty is a scalar.

    Behaviour:
        Weights and groups that are exactly zero have gradient zero (a subgradient). Half precision
        is computed in float32.

    Example:
        Units (3, 4) and (0, 0): half of `√2 · 5` and half of 7.

        >>> penalty = SparseGroupLasso(factor=1.0, l1_ratio=0.5)
        >>> w = keras.ops.convert_to_tensor([[3.0, 0.0], [4.0, 0.0]])
        >>> round(float(penalty(w)), 4)
        7.0355
    """

    def __init__(
        self, factor: float = 0.01, l1_ratio: float = 0.5, axis: int = -1, group_size: int = 1
    ):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.l1_ratio = checks.number(self, "l1_ratio", l1_ratio, "[0, 1]")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
        self.group_size = checks.integer(self, "group_size", group_size, "[1, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        w = at_least_float32(w)
        grouped = group_penalty(groups_of(self, w, self.axis, self.group_size))
        alpha = self.l1_ratio
        return self.factor * ((1 - alpha) * grouped + alpha * ops.sum(absolute(w)))
