from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.contrast import mean_over
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Dimensionality Reduction by Learning an Invariant Mapping",
        "Hadsell, Chopra, LeCun",
        2006,
        "http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf",
        "equation 4",
    ),
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "neg_margin": Float(0.1, 2.0),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
        "squared": Choice(True, False),
    },
    example=Example(
        {"pos_margin": 0.25, "neg_margin": 4.0, "squared": False},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class InBatchContrastive(DistanceLoss):
    """Contrastive loss of all pairs that a batch with labels offers.

    `Contrastive` for data with labels instead of pairs. Simple and steady, but it asks for the same
    distances everywhere, where a triplet loss asks for an order only; take it where a fixed
    threshold on the distance is to decide later on. Compose batches with several samples of
    each class.

    Maths:
        `L = mean over a of mean_p max(0, D_ap - m₊)² + mean_n max(0, m₋ - D_an)²`, with `D` =
        `distance`, `m₊` = `pos_margin`, `m₋` = `neg_margin`, and for each anchor `a` the mean over
        its positives `p` (other samples of its class) and the mean over its negatives `n`. Means of
        each kind, since a batch has many times more negatives than positives. Differs from the
        paper: no factors of 1/2, and a margin for positives too.

    Args:
        pos_margin: `m₊`, in units of the distance, a number in [0, inf).
        neg_margin: `m₋`, in units of the distance, a number in (0, inf). For `"cosine"`, which is 2
            at most, take less than 1.
        squared: False to leave out the squares, as pytorch-metric-learning does; gradients then
            do not fade as pairs come near their goal.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`.
        Unreduced: `(batch,)`, the anchor's loss times batch / anchors with a pair.

    Behaviour:
        With classes of equal size, `L` is the mean over all positive pairs plus the mean over all
        negative pairs. Pairs that lose nothing count in these means; pytorch-metric-learning leaves
        them out by default, so that the last bad pair weighs as much as all of them did, and it
        normalizes embeddings. Without a positive, or a negative, that mean is 0. Samples at one
        point have gradient 0. Computed in float32 at least; memory is `O(batch²)`. Under data
        parallelism the batch is that of all replicas.

    Example:
        0 and 2 are of one class, 3 is a negative. Anchor 0: 2² + 0. Anchor 2: 2² + (2 - 1)². Anchor
        3 is 1 and 3 from its negatives: (1 + 0) / 2. The mean is 9.5 / 3:

        >>> loss = InBatchContrastive(neg_margin=2.0)
        >>> x = ops.convert_to_tensor([[0.0], [2.0], [3.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        3.1667
    """

    def __init__(
        self,
        pos_margin: float = 0.0,
        neg_margin: float = 1.0,
        distance: str = "euclidean",
        normalize: bool = False,
        squared: bool = True,
        **kwargs: Any,
    ):
        super().__init__(distance, normalize, **kwargs)
        self.pos_margin = checks.number(self, "pos_margin", pos_margin, "[0, inf)")
        self.neg_margin = checks.number(self, "neg_margin", neg_margin, "(0, inf)")
        self.squared = checks.boolean(self, "squared", squared)

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        D = anchor_distances(x, anchors, self.distance, self.normalize)
        pull, push = ops.relu(D - self.pos_margin), ops.relu(self.neg_margin - D)
        if self.squared:
            pull, push = pull**2, push**2
        positive = positive_pairs(labels, anchors)
        negative = ops.logical_not(same_class(labels, anchors))
        pairs = ops.any(ops.logical_or(positive, negative), axis=1)
        return mean_over(pull, positive) + mean_over(push, negative), ops.cast(pairs, D.dtype)
