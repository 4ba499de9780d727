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
        "SoftTriple Loss: Deep Metric Learning Without Triplet Sampling",
        "Qian, Shang, Sun, Hu, Li, Jin",
        2019,
        "https://arxiv.org/abs/1909.05235",
        "section 3.3",
    ),
    tags=("penalty",),
    space={"factor": Float(0.01, 1.0, log=True)},
    example=Example({"factor": 0.5}, shape=(3, 4, 5)),
)
class SparseCenters(keras.regularizers.Regularizer):
    """Sparse centers: the distances between the centers of a class, not squared.

    For `kcatalog.layers.Prototypes` with several vectors a class, as `SoftTriple` wants them: begin
    with more than any class needs. As in a group lasso the pull does not fade with the distance,
    so that centers that do not earn their keep come to lie together and act as one.

    Maths:
        `Ω = τ / (C K (K - 1)) Σ_j Σ_{s < t} ‖w_js - w_jt‖` over classes `j` and pairs of their
        centers, scaled to length 1, with `τ` = `factor`, `C` classes and `K` centers each.

    Args:
        factor: `τ`, a number in [0, inf). The paper takes 0.2.

    Shapes:
        A weight `(classes, per_class, features)`; the penalty is a scalar. A weight
        `(classes, features)` has one center a class and pays nothing.

    Behaviour:
        `Ω` is at most `τ`, and 0 where each class's centers point one way. There the gradient is
        taken to be 0. Half precision is computed in float32.

    Example:
        One class, two centers at a right angle: √2 apart, over 2.

        >>> penalty = SparseCenters(factor=1.0)
        >>> w = ops.convert_to_tensor([[[3.0, 0.0], [0.0, 1.0]]])
        >>> round(float(penalty(w)), 4)
        0.7071
    """

    def __init__(self, factor: float = 0.2):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        w = unit_rows(at_least_float32(w))
        if len(w.shape) not in (2, 3):
            rule = "(classes, per_class, features)"
            raise checks.error(self, "shape", rule, tuple(w.shape), "Give it to Prototypes.")
        if len(w.shape) == 2 or w.shape[1] == 1:
            return 0.0 * ops.sum(w)
        C, K, _ = w.shape
        G = ops.matmul(w, ops.transpose(w, (0, 2, 1)))
        length = ops.diagonal(G, axis1=1, axis2=2)
        square = length[:, :, None] + length[:, None, :] - 2 * G
        equal = square <= 0  # below 0 by rounding; a NaN is neither and stays one
        distance = ops.where(equal, 0.0, ops.sqrt(ops.where(equal, 1.0, square)))
        return self.factor / (C * K * (K - 1)) * ops.sum(distance) / 2  # each pair stands twice
