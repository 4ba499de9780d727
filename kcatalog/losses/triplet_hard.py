from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.distance_loss import DistanceLoss
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.mining import INF, positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "In Defense of the Triplet Loss for Person Re-Identification",
        "Hermans, Beyer, Leibe",
        2017,
        "https://arxiv.org/abs/1703.07737",
        "equation 5 (batch hard), and its soft margin",
    ),
    equation="L = mean over a of max(0, m + max over p of D(a, p) - min over n of D(a, n))",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "margin": Float(0.1, 2.0),
        "soft": Choice(False, True),
        "positives": Choice("hardest", "easiest"),
        "distance": Choice("euclidean", "squared_euclidean", "cosine"),
        "normalize": Choice(False, True),
    },
    example=Example({"margin": 0.5, "normalize": True}, shape=(8,), targets="labels", classes=3),
)
class TripletHard(DistanceLoss):
    """Triplet loss over the hardest triplet of each anchor in the batch ("batch hard").

    One triplet an anchor: its farthest positive and its nearest negative. These triplets have
    the highest losses. From random weights, however, the hardest negatives tend to pull all
    embeddings into one point, where the loss stays at `margin` (or log 2). Warm up with
    `TripletSemiHard`, take the soft margin, or `positives="easiest"` where classes are made of
    several clusters. Mislabelled samples are always the hardest: clean the data first.

    Maths:
        `L = mean over a of max(0, m + D(a, p) - D(a, n))`, `p` = the farthest positive of `a`,
        `n` = its nearest negative, `m` = `margin`, `D` = `distance`. With `soft`
        it is `log(1 + exp(D(a, p) - D(a, n)))`, which keeps a gradient for every triplet. With
        `positives="easiest"`, `p` is the nearest positive (Xuan et al. 2020, arXiv:1904.04370).

    Args:
        margin: `m`, in units of the distance, a number in (0, inf); not used with `soft`.
        soft: True for the soft margin.
        positives: `"hardest"` or `"easiest"`: which positive is `p`.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, one triplet each, times batch / number of anchors with a triplet.

    Behaviour:
        Anchors without a positive or without a negative have no triplet and are left out of the
        mean (differs from TensorFlow Addons, which sets them against arbitrary samples); a batch
        without any gives 0 with zero gradient. Equal extremes share the gradient. Distances are
        computed in float32 at least, memory is `O(batch²)`. Under data parallelism the
        batch is that of all replicas.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another. Anchor 0: 2 + 1 - 3 = 0; anchor 1:
        2 + 1 - 2 = 1; anchor 3: 2 + 6 - 2 = 6; anchor 9: 2 + 6 - 8 = 0. The mean is 7 / 4:

        >>> loss = TripletHard(margin=2.0)
        >>> x = ops.convert_to_tensor([[0.0], [1.0], [3.0], [9.0]])
        >>> float(loss(ops.convert_to_tensor([0, 0, 1, 1]), x))
        1.75
    """

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        positives: str = "hardest",
        distance: str = "euclidean",
        normalize: bool = False,
        **kwargs: Any,
    ):
        super().__init__(distance, normalize, **kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")
        self.soft = checks.boolean(self, "soft", soft)
        self.positives = checks.choice(self, "positives", positives, ("hardest", "easiest"))

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        D = anchor_distances(x, anchors, self.distance, self.normalize)
        positive = positive_pairs(labels, anchors)
        if self.positives == "hardest":
            D_ap = ops.max(ops.where(positive, D, -INF), axis=1)
        else:
            D_ap = ops.min(ops.where(positive, D, INF), axis=1)
        D_an = ops.min(ops.where(same_class(labels, anchors), INF, D), axis=1)

        there = ops.logical_and(ops.any(positive, axis=1), D_an < INF)
        violation = ops.where(there, D_ap, 0.0) - ops.where(there, D_an, 0.0)
        loss = ops.softplus(violation) if self.soft else ops.relu(self.margin + violation)
        there = ops.cast(there, D.dtype)
        return loss * there, there
