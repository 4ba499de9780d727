import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.distances import unit_rows
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "RegularFace: Deep Face Recognition via Exclusive Regularization",
        "Zhao, Xu, Cheng",
        2019,
        "https://openaccess.thecvf.com/content_CVPR_2019/html/"
        "Zhao_RegularFace_Deep_Face_Recognition_via_Exclusive_Regularization_CVPR_2019_paper.html",
        "equation 3",
    ),
    space={"factor": Float(0.01, 10.0, log=True)},
    example=Example({"factor": 0.5}, shape=(4, 5)),
)
class RegularFace(keras.regularizers.Regularizer):
    """RegularFace: the cosine of each class vector with the nearest other one.

    Margin losses pull samples to the vector of their class; this keeps these vectors apart. For
    `kcatalog.layers.Prototypes` with one vector a class, beside `ArcFace` and the like, with
    many classes. With fewer classes than features the vectors find room by themselves.

    Maths:
        `Ω = λ / C Σ_i max over j ≠ i of cos(w_i, w_j)`, with `λ` = `factor` and the vectors `w` of
        `C` classes.

    Args:
        factor: `λ`, a number in [0, inf).

    Shapes:
        A weight `(classes, features)`; the penalty is a scalar between `-λ` and `λ`.

    Behaviour:
        Negative where all angles are obtuse. Of several nearest vectors the gradient goes to one or
        is shared. A zero vector has cosine 0 with all, and gradient zero. A single class
        pays nothing. Half precision is computed in float32.

    Example:
        The first two are at a right angle and so nearest to each other; the third is opposite to
        the first, at a right angle to the second.

        >>> w = ops.convert_to_tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
        >>> float(RegularFace(factor=1.0)(w)) + 0.0
        0.0
    """

    def __init__(self, factor: float = 1.0):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        w = at_least_float32(w)
        if len(w.shape) != 2:
            rule = "(classes, features)"
            raise checks.error(self, "shape", rule, tuple(w.shape), "Give it to Prototypes.")
        if w.shape[0] < 2:
            return 0.0 * ops.sum(w)
        w = unit_rows(w)
        cosine = ops.matmul(w, ops.transpose(w))
        cosine = cosine - 4 * ops.eye(w.shape[0], dtype=w.dtype)  # with itself: never the largest
        return self.factor * ops.mean(ops.max(cosine, axis=1))
