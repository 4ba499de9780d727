from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import log_sum_exp
from kcatalog.ops.distances import anchor_distances
from kcatalog.ops.mining import positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sampling Matters in Deep Embedding Learning",
        "Wu, Manmatha, Smola, Krähenbühl",
        2017,
        "https://arxiv.org/abs/1706.07567",
        "section 4",
    ),
    equation="L = mean of max(0, m + D_ap - β) and max(0, m + β - D_an),  n drawn by 1 / q(D_an)",
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "margin": Float(0.05, 0.5),
        "beta": Float(0.6, 1.4),
        "sampling": Choice("distance_weighted", "uniform"),
        "cutoff": Float(0.2, 0.8),
    },
    example=Example(
        {"margin": 0.4, "beta": 1.1, "sampling": "uniform", "cutoff": 0.4},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class DistanceWeightedMargin(InBatchLoss):
    """Margin loss with distance-weighted sampling, its expectation instead of a draw.

    In many dimensions nearly all negatives lie at a distance of √2, so that drawing them uniformly
    hardly ever shows the near ones, and the nearest alone are noise. Drawn with the inverse of that
    density, `q`, they are spread evenly over distances. One boundary `β` between positives and
    negatives holds for all anchors: easier to serve by a threshold than triplets.

    Maths:
        `L = mean of max(0, m + D_ap - β) and max(0, m + β - D_an)` over terms above 0, with one `n`
        for each `(a, p)`, drawn by `w ∝ 1 / q(max(D_an, c))` among those with `D_an < m + β`.
        `q(d) = d^(f - 2) (1 - d²/4)^((f - 3)/2)`, `f` features; `m` = `margin`, `β` = `beta`,
        `c` = `cutoff`, `D` the Euclidean distance on the unit sphere.

    Args:
        margin: `m`, in units of the distance, a number in (0, inf).
        beta: `β`, the boundary, a number in (0, 2).
        sampling: `"distance_weighted"`, or `"uniform"`: `w` is the same for all negatives.
        cutoff: `c`, the distance below which `w` grows no more, a number in (0, 2).

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not.
        Unreduced: `(batch,)`, the anchor's sum times batch / number of terms above 0.

    Behaviour:
        Embeddings are scaled to length 1. Nothing is random. Differs from the paper: a drawn term
        is replaced by its expectation over `w`, and counts with the probability to be above 0; that
        costs no more than the draw, `O(batch²)`, and has no variance. Differs from the paper: `β`,
        there trained from 1.2, is fixed, as losses hold no weights. `c`, and the limit beyond which
        nothing is drawn, are those of its authors' code. `w` has no gradient. No term above 0 gives
        0 with zero gradient. Under data parallelism the batch is that of all replicas.

    Example:
        On the unit circle the pair lies a right angle apart, √2; the negative opposite to sample 0
        is at 2 from it, which costs nothing, and at √2 from sample 1. Of the four terms three
        are above 0: twice `0.5 + √2 - 1`, once `0.5 + 1 - √2`:

        >>> loss = DistanceWeightedMargin(margin=0.5, beta=1.0)
        >>> x = ops.convert_to_tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> round(float(loss(ops.convert_to_tensor([0, 0, 1]), x)), 4)
        0.6381
    """

    def __init__(
        self,
        margin: float = 0.2,
        beta: float = 1.2,
        sampling: str = "distance_weighted",
        cutoff: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")
        self.beta = checks.number(self, "beta", beta, "(0, 2)")
        options = ("distance_weighted", "uniform")
        self.sampling = checks.choice(self, "sampling", sampling, options)
        self.cutoff = checks.number(self, "cutoff", cutoff, "(0, 2)")

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        D = anchor_distances(x, anchors, "euclidean", normalize=True)
        negative = ops.logical_not(same_class(labels, anchors))
        w = ops.stop_gradient(self._probabilities(D, negative, x.shape[-1]))
        pairs = ops.cast(positive_pairs(labels, anchors), D.dtype)
        drawn = ops.sum(pairs, axis=1, keepdims=True) * w  # one negative for each pair
        pull = ops.relu(self.margin + D - self.beta)
        push = ops.relu(self.margin + self.beta - D)
        above_0 = pairs * ops.cast(pull > 0, D.dtype) + drawn * ops.cast(push > 0, D.dtype)
        return ops.sum(pairs * pull + drawn * push, axis=1), ops.sum(above_0, axis=1)

    def _probabilities(self, D, negative, features):
        """`(anchors, references)`: how likely each negative is drawn, rows summing to 1 or 0."""
        log_w = ops.zeros_like(D)
        if self.sampling == "distance_weighted":
            negative = ops.logical_and(negative, self.margin + self.beta - D > 0)
            d = ops.clip(D, self.cutoff, 1.9999)  # at 2, antipodes, the density vanishes
            log_w = (2 - features) * ops.log(d) + (3 - features) / 2 * ops.log(1 - d**2 / 4)
        return ops.where(negative, ops.exp(log_w - log_sum_exp(log_w, negative)), 0.0)
