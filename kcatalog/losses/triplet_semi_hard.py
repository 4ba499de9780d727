from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.mining import positive_pairs, same_class, semi_hard_triplets, triplet_sums
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "FaceNet: A Unified Embedding for Face Recognition and Clustering",
        "Schroff, Kalenichenko, Philbin",
        2015,
        "https://arxiv.org/abs/1503.03832",
        "section 3.2",
    ),
    equation="L = mean over (a, p) of max(0, m + D(a, p) - D(a, n)),  D(a, n) just above D(a, p)",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "margin": Float(0.1, 2.0),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example(
        {"margin": 0.5, "distance": "cosine", "normalize": True},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class TripletSemiHard(DistanceLoss):
    """Triplet loss with semi-hard negatives mined within the batch.

    Each ordered anchor-positive pair of the batch is set against one negative: the closest that
    is farther away than the positive. Harder negatives make training collapse early on, easier
    ones teach nothing. Compose batches with several samples of each class (4 to 32, say);
    where a batch has no two samples of a class there is nothing to learn from it. With a
    few large classes prefer a classification loss.

    Maths:
        `L = mean over (a, p) of max(0, m + D(a, p) - D(a, n))` over all ordered pairs of different
        samples of a class, with `m` = `margin`, `D` = `distance`, and
        `n` = the closest negative with `D(a, n) > D(a, p)`, else the farthest negative. The paper
        takes squared distances of embeddings on the unit sphere, and a margin of 0.2.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf). For `"cosine"`, which is 2 at
            most, take less than 1.
        normalize: True to scale embeddings to length 1 first, as the paper does.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, anchor `a`'s sum over its pairs, times batch / number of pairs.

    Behaviour:
        The mean over the batch is the mean over pairs, zeros included; `sample_weight` weights
        anchors. No pair, or no negative, gives 0 with zero gradient. The choice of negatives has no
        gradient; equal distances count as not farther, equally near negatives share the gradient.
        Distances are computed in float32 at least. Memory is `O(batch²)`, time `O(P batch²)` for
        `P` samples a class and `O(batch² log² batch)` at most. Under data parallelism the batch is
        that of all replicas.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another. Anchor 0 takes the negative 3:
        2 + 1 - 3 = 0; anchor 1 takes 3: 2 + 1 - 2 = 1; anchor 3 has none beyond 9 and takes the
        farthest, 0: 2 + 6 - 3 = 5; anchor 9 takes 1: 2 + 6 - 8 = 0. The mean is 6 / 4:

        >>> loss = TripletSemiHard(margin=2.0)
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0], [9.0]])
        >>> float(loss(ops.convert_to_tensor([0, 0, 1, 1]), x))
        1.5
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
        D = anchor_distances(x, anchors, self.distance, self.normalize)
        sums, _ = triplet_sums(D, semi_hard_triplets(D, labels, self.margin), self.margin)
        has_negative = ops.logical_not(ops.all(same_class(labels, anchors), axis=1, keepdims=True))
        pairs = ops.logical_and(positive_pairs(labels, anchors), has_negative)
        return sums, ops.sum(ops.cast(pairs, D.dtype), axis=1)
