from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.mining import all_triplets, positive_pairs, same_class, triplet_sums
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "In Defense of the Triplet Loss for Person Re-Identification",
        "Hermans, Beyer, Leibe",
        2017,
        "https://arxiv.org/abs/1703.07737",
        "equation 6 (batch all)",
    ),
    equation="L = mean over (a, p, n) of max(0, m + D(a, p) - D(a, n))",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "margin": Float(0.1, 2.0),
        "mean_over": Choice("active", "all"),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example(
        {"margin": 0.5, "mean_over": "all", "normalize": True},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class TripletAll(DistanceLoss):
    """Triplet loss over all triplets of the batch ("batch all"), exact and without listing them.

    The mildest of the mined triplet losses: every positive against every negative. By default the
    mean runs over active triplets, those that violate the margin; in the mean over all, the few
    that are left late in training drown among the many that are satisfied. Where training from
    `TripletHard` collapses this one usually does not; where this one stops learning, mine harder.

    Maths:
        `L = Σ max(0, m + D(a, p) - D(a, n)) / T` over all triplets of an anchor `a`, another sample
        `p` of its class and a sample `n` of another class, with `m` = `margin`, `D` =
        `distance`, and `T` = the number of triplets above 0, or of all (`mean_over`). In a batch of
        1024 these are 10⁷ and more; the sum needs only how often each distance occurs.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf).
        mean_over: `"active"` or `"all"`: what `T` counts.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, anchor `a`'s sum over its triplets, times batch / `T`.

    Behaviour:
        The mean over the batch is the mean over triplets; `sample_weight` weights anchors. No
        triplet gives 0 with zero gradient. `T` has no gradient. Distances are computed in
        float32 at least. Memory is `O(batch²)`, where listing triplets takes `O(batch³)`; time is
        `O(P batch²)` for `P` samples a class and `O(batch² log² batch)` at most. Under data
        parallelism the batch is that of all replicas.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another. Violated by: anchor 1 with 0 and 3:
        2 + 1 - 2 = 1; anchor 3 with 9 and 0: 2 + 6 - 3 = 5, with 9 and 1: 2 + 6 - 2 = 6. The mean
        over these three is 12 / 3:

        >>> loss = TripletAll(margin=2.0)
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0], [9.0]])
        >>> float(loss(ops.convert_to_tensor([0, 0, 1, 1]), x))
        4.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        mean_over: str = "active",
        distance: str = "euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(distance, normalize, **kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")
        self.mean_over = checks.choice(self, "mean_over", mean_over, ("active", "all"))

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        D = anchor_distances(x, anchors, self.distance, self.normalize)
        sums, active = triplet_sums(D, all_triplets(D, labels, self.margin), self.margin)
        if self.mean_over == "active":
            return sums, active
        positives = ops.sum(ops.cast(positive_pairs(labels, anchors), D.dtype), axis=1)
        negatives = ops.sum(1 - ops.cast(same_class(labels, anchors), D.dtype), axis=1)
        return sums, positives * negatives
