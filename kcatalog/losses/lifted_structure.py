from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.contrast import log_sum_exp
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Deep Metric Learning via Lifted Structured Feature Embedding",
        "Song, Xiang, Jegelka, Savarese",
        2016,
        "https://arxiv.org/abs/1511.06452",
        "section 4, equation 4",
    ),
    equation="L = mean of max(0, J_ij)² / 2,  J_ij = D_ij + log(Σ exp(m - D_ik) + Σ exp(m - D_jl))",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "margin": Float(0.1, 2.0),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example(
        {"margin": 0.5, "distance": "squared_euclidean", "normalize": True},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class LiftedStructure(DistanceLoss):
    """Lifted structured embedding: every pair of the batch at once, in one smooth bound.

    A positive pair is pulled together as long as the negatives of either end are not farther than
    its own length by the margin. The hardest of them weigh most and none is lost, so that there is
    no mining to choose. The square makes outliers expensive; take a lower learning rate for
    embeddings far apart. The paper does not normalize.

    Maths:
        `J_ij = D_ij + log(Σ_k exp(m - D_ik) + Σ_l exp(m - D_jl))` over the negatives `k` of `i` and
        `l` of `j`, and `L = mean over (i, j) of max(0, J_ij)² / 2` over the positive pairs, with
        `m` = `margin` and `D` = `distance`, Euclidean in the paper.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf).

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, half of `i`'s sum over its pairs each way, times batch / pairs.

    Behaviour:
        The mean is over pairs; `sample_weight` weights the pairs `(i, j)` of sample `i`, each pair
        being two. No positive or no negative gives 0 with zero gradient. Differs from
        pytorch-metric-learning: a pair without negatives counts there as `D² / 2`. Sums of
        exponentials are shifted, in float32 at least. Memory is `O(batch²)`. Under data
        parallelism the batch is that of all replicas.

    Example:
        0 and 1 are of one class, 3 is a negative. `J = 1 + log(exp(2 - 3) + exp(2 - 2))` is 1.313,
        and half its square:

        >>> loss = LiftedStructure(margin=2.0)
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        0.8623
    """

    def __init__(
        self,
        margin: float = 1.0,
        distance: str = "euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(distance, normalize, **kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        # the other end of a pair brings its negatives, so that all rows are needed
        D = pairwise_distances(x, metric=self.distance, normalize=self.normalize)
        R = log_sum_exp(self.margin - D, ops.logical_not(same_class(labels)))
        R_i, R_j = R[:anchors], ops.transpose(R)
        J = D[:anchors] + R_i + ops.softplus(R_j - R_i)  # log(exp(R_i) + exp(R_j))
        pairs = ops.cast(positive_pairs(labels, anchors), D.dtype)
        return ops.sum(pairs * ops.square(ops.relu(J)) / 2, axis=1), ops.sum(pairs, axis=1)
