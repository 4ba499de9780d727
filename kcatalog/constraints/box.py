import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Wasserstein GAN",
        "Arjovsky, Chintala, Bottou",
        2017,
        "https://arxiv.org/abs/1701.07875",
        "algorithm 1, line 7",
    ),
    tags=("projection",),
    space={"lower": Float(-2.0, 0.0), "upper": Float(0.0, 2.0)},
    example=Example({"lower": -0.5, "upper": 1.5}, shape=(4, 6)),
)
class Box(keras.constraints.Constraint):
    """Box: each weight is clipped to an interval, the nearest point of a box.

    For weights with a meaning that has bounds (mixing rates, gains, prices), and for the critic of
    a Wasserstein GAN, where it is crude: `kcatalog.constraints.SpectralNorm` bounds the slope
    without pushing weights to the corners. For a lower bound of 0 alone take
    `keras.constraints.NonNeg`.

    Maths:
        `w ← min(max(w, a), b)`, with `a` = `lower` and `b` = `upper`.

    Args:
        lower: `a`, a number in (-inf, inf).
        upper: `b`, a number in (-inf, inf), not below `lower`.

    Shapes:
        A weight of any shape; the result has the same.

    Behaviour:
        Deterministic, in the weight's dtype.

    Example:
        >>> w = Box(lower=0.0, upper=1.0)(keras.ops.convert_to_tensor([-3.0, 0.5, 2.0]))
        >>> [float(v) for v in w]
        [0.0, 0.5, 1.0]
    """

    def __init__(self, lower: float = -1.0, upper: float = 1.0):
        self.lower = checks.number(self, "lower", lower, "(-inf, inf)")
        self.upper = checks.number(self, "upper", upper, "(-inf, inf)")
        if upper < lower:
            raise checks.error(self, "upper", f"at least lower={lower}", upper)

    def __call__(self, w: Tensor) -> Tensor:
        w = ops.convert_to_tensor(w)
        return ops.cast(ops.clip(w, self.lower, self.upper), w.dtype)
