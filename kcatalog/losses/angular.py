import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import similarities
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Deep Metric Learning with Angular Loss",
        "Wang, Zhou, Wen, Liu, Lin",
        2017,
        "https://arxiv.org/abs/1708.01682",
        "the loss of a batch",
    ),
    equation="l = mean over (a, p) of log(1 + Σ_n exp(4 t (a + p)·n - 2 (1 + t) a·p)),  t = tan² α",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={"angle_degrees": Float(20.0, 60.0)},
    example=Example({"angle_degrees": 36.0}, shape=(8,), targets="labels", classes=3),
)
class Angular(InBatchLoss):
    """Angular loss: a bound on the shape of a triplet, not on its size.

    A distance margin fits one scale; the angle at the negative is the same at every scale, and
    its gradient moves all three corners, the negative away from the middle of the pair.
    The paper adds it to `NPairs`. The best angles it finds lie between 36 and 55 degrees.

    Maths:
        `l = mean over (a, p) of log(1 + Σ_n exp(f))` over ordered positive pairs, with
        `f = 4 t (x_a + x_p)·x_n - 2 (1 + t) x_a·x_p`, `t = tan² α`, `α` = `angle_degrees`, `x` on
        the unit sphere.

    Args:
        angle_degrees: `α`, the largest angle at the negative, in degrees, a number in (0, 60]. The
            triangle's smallest angle is never larger than 60.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, `a`'s sum over its pairs, times batch / number of pairs.

    Behaviour:
        Embeddings are scaled to length 1: `f` drops terms that are constant only there. The mean is
        over pairs; `sample_weight` weights anchors. No positive or no negative gives 0 with zero
        gradient. The sums over `n` for all pairs are one matrix product: `O(batch²)` memory, where
        triplets would fill `batch³`. Float32 at least, in which no allowed angle can underflow.
        Under data parallelism the batch is that of all replicas.

    Example:
        A pair of equal samples and a negative at right angles: `f = 0 - 2 (1 + 1)` at 45 degrees,
        so `log(1 + exp(-4))`:

        >>> loss = Angular(angle_degrees=45.0)
        >>> x = ops.convert_to_tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        0.0181
    """

    def __init__(self, angle_degrees: float = 45.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.angle_degrees = checks.number(self, "angle_degrees", angle_degrees, "(0, 60]")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        t = math.tan(math.radians(self.angle_degrees)) ** 2
        S = similarities(x, x)
        # exp(4t (a·n + p·n)) = exp(4t a·n) exp(4t p·n): summed over n it is a product of matrices.
        # Cosines are shifted by 1: a term is exp(-16t) = exp(-48) at least, and 1 at most
        E = ops.where(same_class(labels), 0.0, ops.exp(4 * t * (S - 1)))
        Σ = ops.matmul(E[:anchors], ops.transpose(E))
        pairs = ops.logical_and(positive_pairs(labels, anchors), Σ > 0)
        f = 8 * t + ops.log(ops.where(pairs, Σ, 1.0)) - 2 * (1 + t) * S[:anchors]
        losses = ops.where(pairs, ops.softplus(f), 0.0)
        return ops.sum(losses, axis=1), ops.sum(ops.cast(pairs, "int32"), axis=1)
