import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.norms import scaled_norm
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.sparsity import groups_of
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "DeepHoyer: Learning Sparser Neural Network with Differentiable Scale-Invariant Sparsity "
        "Measures",
        "Yang, Wen, Li",
        2020,
        "https://arxiv.org/abs/1908.09979",
        "equations 2 and 4",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-7, 1e-3, log=True)},
    example=Example({"factor": 0.1, "axis": -1}, shape=(4, 3)),
)
class Hoyer(keras.regularizers.Regularizer):
    """Hoyer-square: about how many weights of a tensor are not small, whatever their scale.

    L1 shrinks all weights, so the loss gets worse before any is gone. This measure does not
    change if all weights are scaled: it pulls small weights to zero and lets large ones grow. Prune
    below a threshold afterwards. Together with weight decay or normalization layers its
    gradient grows as weights shrink: keep `factor` small.

    Maths:
        `Ω = λ (Σ |w|)² / Σ w²`, with `λ` = `factor`: from `λ` for one weight that is not zero to
        `λ n` for `n` equal ones. With `axis`, group-Hoyer: `Ω = λ (Σ_g ‖w_g‖)² / Σ_g ‖w_g‖²`.

    Args:
        factor: `λ`, a number in [0, inf).
        axis: The axis whose indices are the groups, an integer in (-inf, inf): -1 for output units
            and filters, -2 for input units. None stands for single weights.

    Shapes:
        A weight of any shape that has `axis`; the penalty is a scalar.

    Behaviour:
        A weight that is zero as a whole pays nothing and has gradient zero. So has a single zero.
        The gradient is in proportion to `1 / w`. Half precision is computed in float32.

    Example:
        Four equal weights count as 4, whatever their size:

        >>> penalty = Hoyer(factor=1.0)
        >>> float(penalty(keras.ops.full((4,), 0.5))), float(penalty(keras.ops.full((4,), 8.0)))
        (4.0, 4.0)
    """

    def __init__(self, factor: float = 1e-5, axis: int | None = None):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)", optional=True)

    def __call__(self, w: Tensor) -> Tensor:
        w = at_least_float32(w)
        m, _ = scaled_norm(w)
        half = ops.rsqrt(ops.reshape(m, ()))
        w = w * half * half  # changes nothing but the squares' range
        if self.axis is None:
            a = ops.abs(w)
        else:
            m, r = scaled_norm(groups_of(self, w, self.axis), axis=1)
            a = m * r
        square = ops.sum(ops.square(a))
        return self.factor * ops.square(ops.sum(a)) / ops.where(square == 0, 1.0, square)
