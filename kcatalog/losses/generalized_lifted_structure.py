from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.contrast import log_sum_exp
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "In Defense of the Triplet Loss for Person Re-Identification",
        "Hermans, Beyer, Leibe",
        2017,
        "https://arxiv.org/abs/1703.07737",
        "section 2, generalized lifted embedding loss",
    ),
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
class GeneralizedLiftedStructure(DistanceLoss):
    """Generalized lifted embedding loss: all of an anchor's pairs in one smooth hinge.

    `TripletHard` with both extremes made soft: all positives and negatives have a gradient, the
    hardest most. `LiftedStructure` compares one positive pair at a time; here an anchor's positives
    are pooled as well. With many samples a class the pooled sum grows with their
    logarithm, so that the hinge hardly ever closes: take a smaller margin.

    Maths:
        `l_a = max(0, log Σ_p exp(D_ap) + log Σ_n exp(m - D_an))` over the positives `p` and the
        negatives `n` of the anchor, with `m` = `margin`, `D` = `distance`.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf).

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, `l_a` times batch / number of anchors that count.

    Behaviour:
        The mean is over anchors that have a positive and a negative; the others give 0 without a
        gradient. Differs from pytorch-metric-learning: there an empty sum is 0, and every anchor
        counts. Sums of exponentials are shifted, in float32 at least. Memory is `O(batch²)`. Under
        data parallelism the batch is that of all replicas.

    Example:
        Anchor 0 has a positive at 1 and a negative at 3: `1 + (2.5 - 3) = 0.5`; anchor 1 has them
        at 1 and 2: `1 + (2.5 - 2) = 1.5`; the negative has no positive and does not count:

        >>> loss = GeneralizedLiftedStructure(margin=2.5)
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0]])
        >>> float(loss(ops.convert_to_tensor([0, 0, 1]), x))
        1.0
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
        positive = positive_pairs(labels, anchors)
        negative = ops.logical_not(same_class(labels, anchors))
        # without a pair the sum's logarithm is hugely negative, and the hinge closed
        J = log_sum_exp(D, positive) + log_sum_exp(self.margin - D, negative)
        counts = ops.logical_and(ops.any(positive, axis=1), ops.any(negative, axis=1))
        return ops.relu(J)[:, 0], counts
