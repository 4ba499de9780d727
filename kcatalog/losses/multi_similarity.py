from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.contrast import log_sum_exp, similarities
from kcatalog.ops.mining import INF, positive_pairs, same_class
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning",
        "Wang, Han, Huang, Dong, Scott",
        2019,
        "https://arxiv.org/abs/1904.06627",
        "section 4",
    ),
    tags=("in-batch", "integer-labels", "embeddings"),
    space={
        "alpha": Float(0.5, 10.0, log=True),
        "beta": Float(10.0, 100.0, log=True),
        "base": Float(0.0, 1.0),
        "epsilon": Choice(None, 0.05, 0.1, 0.2),
    },
    example=Example(
        {"alpha": 3.0, "beta": 20.0, "base": 0.4, "epsilon": 0.5},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class MultiSimilarity(InBatchLoss):
    """Multi-similarity loss: mine the pairs that say something, then weigh them softly.

    Of each anchor's pairs those are kept that are out of order: positives hardly nearer than the
    nearest negative, negatives hardly farther than the farthest positive. They are weighted
    by two softmaxes, steep for negatives and gentle for positives. A strong first choice for
    retrieval, with little to tune. Needs several samples of a class in a batch.

    Maths:
        `l_a = 1/α log(1 + Σ_p exp(-α (S_ap - λ))) + 1/β log(1 + Σ_n exp(β (S_an - λ)))`, with `S`
        the cosine, `α` = `alpha`, `β` = `beta`, `λ` = `base`, over the pairs with
        `S_ap < max over n of S_an + ε` and `S_an > min over p of S_ap - ε`, `ε` = `epsilon`.

    Args:
        alpha: `α`, steepness for positives, a number in (0, inf).
        beta: `β`, steepness for negatives, a number in (0, inf).
        base: `λ`, the cosine that pairs are compared with, a number in [-1, 1]. The paper takes
            1; its authors' code and the peers 0.5.
        epsilon: `ε`, how far in order a pair may be and still be kept, in cosines, a number in
            [0, inf), or None to keep all pairs.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`, normalized or not. Unreduced: `(batch,)`.

    Behaviour:
        The mean is over all anchors; one without a kept pair gives 0. With `epsilon` an anchor
        needs a positive and a negative; without, either will do. The choice of pairs has no
        gradient. Float32 at least, `O(batch²)` memory. Under data parallelism the batch is that of
        all replicas. tensorflow-similarity's `distance` and `center` are the cosine distance and
        1 here, its `lmda` is `base`, and its `beta` is 40.

    Example:
        All pairs, `α = β = 1`, `λ = 0`; two parallel samples of a class and a negative at right
        angles. The two give `log(1 + 1/e) + log(1 + 1)` each, the negative `log(1 + 2)`:

        >>> loss = MultiSimilarity(alpha=1.0, beta=1.0, base=0.0, epsilon=None, reduction=None)
        >>> x = ops.convert_to_tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> [round(float(l), 4) for l in loss(ops.convert_to_tensor([0, 0, 1]), x)]
        [1.0064, 1.0064, 1.0986]
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        epsilon: float | None = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha = checks.number(self, "alpha", alpha, "(0, inf)")
        self.beta = checks.number(self, "beta", beta, "(0, inf)")
        self.base = checks.number(self, "base", base, "[-1, 1]")
        self.epsilon = checks.number(self, "epsilon", epsilon, "[0, inf)", optional=True)

    def compare(
        self, labels: Tensor, x: Tensor, anchors: int | None = None
    ) -> tuple[Tensor, Tensor]:
        S = similarities(x, x, anchors)
        positive = positive_pairs(labels, anchors)
        negative = ops.logical_not(same_class(labels, anchors))
        if self.epsilon is not None:
            positive, negative = self._mine(S, positive, negative)
        over = ops.softplus(log_sum_exp(-self.alpha * (S - self.base), positive)) / self.alpha
        under = ops.softplus(log_sum_exp(self.beta * (S - self.base), negative)) / self.beta
        losses = (over + under)[:, 0]
        return losses, ops.ones_like(losses)

    def _mine(self, S, positive, negative):
        nearest = ops.max(ops.where(negative, S, -INF), axis=1, keepdims=True)
        farthest = ops.min(ops.where(positive, S, INF), axis=1, keepdims=True)
        hard_positive = ops.logical_and(positive, nearest - S > -self.epsilon)
        hard_negative = ops.logical_and(negative, S - farthest > -self.epsilon)
        return hard_positive, hard_negative
