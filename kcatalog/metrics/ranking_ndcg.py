import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.retrieval import discount
from kcatalog.ops.sorting import count_below
from kcatalog.ops.targets import same_shape
from kcatalog.ops.weights import Weights, without_nan
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Cumulated gain-based evaluation of IR techniques",
        "Järvelin, Kekäläinen",
        2002,
        "https://doi.org/10.1145/582415.582418",
        "section 2, with another discount",
    ),
    equation="mean over lists of Σ over ranks i ≤ k of gain(y_i) / log2(1 + i), over the best sum",
    better="higher",
    tags=("streaming",),
    space={"gain": Choice("linear", "exponential")},
    example=Example({"k": 3, "gain": "exponential"}, shape=(6,), targets="binary"),
)
class RankingNDCG(Metric):
    """NDCG@k of lists: discounted gain of graded items in the order of their scores.

    For search and recommendation, where each list of items has grades (clicked, bought, 0 to 4) and
    scores: what `RankingSoftmax` trains for. 1 is the best order of a list, whatever the
    scores' scale. `NDCG` is the same of embeddings, where samples are searched for among
    each other.

    Maths:
        `Σ w_l DCG_l / IDCG_l / Σ w_l` over lists with a relevant item, with
        `DCG = Σ g(y_i) / log2(1 + i)` over the ranks `i ≤ k` in order of falling scores, `IDCG`
        the same in order of falling relevance, and `w` the sample weights. The gain `g(y)` is `y`
        (`"linear"`) or `2^y - 1` (`"exponential"`). Items of equal score share the mean of their
        ranks' discounts, as if their order were drawn. Differs from the paper: its discount
        `log2 i` leaves the ranks 1 and 2 alike.

    Args:
        k: How many items count, an integer in [1, inf), or None for all.
        gain: `"linear"` or `"exponential"`, which sets good apart from fair.

    Shapes:
        `y_true`: relevances `(batch, items)`, 0 or above; a negative one marks padding.
        `y_pred`: scores `(batch, items)`. The result is a scalar.

    Behaviour:
        Each list by itself, so batches add up exactly. Scores are compared in float32. Padding, and
        what Keras's mask of `y_pred` takes out, ranks behind all items. Lists without a relevant
        item are left out, where scikit-learn's `ndcg_score`, otherwise the same, counts them
        as 0.

    Example:
        The best item is in second place: `1 / log2 3` of what it could gain:

        >>> metric = RankingNDCG()
        >>> round(float(metric([[0.0, 2.0, 0.0]], [[0.9, 0.5, 0.1]])), 4)
        0.6309
    """

    def __init__(self, k: int | None = None, gain: str = "linear", **kwargs: Any):
        super().__init__(**kwargs)
        self.k = checks.integer(self, "k", k, "[1, inf)", optional=True)
        self.gain = checks.choice(self, "gain", gain, ("linear", "exponential"))
        self._sum = self.add_variable((), "zeros", "float32", name="sum")
        self._weight = self.add_variable((), "zeros", "float32", name="weight")

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        y, s = ops.cast(y_true, "float32"), without_nan(ops.cast(y_pred, "float32"))
        if len(s.shape) != 2:
            raise checks.error(self, "y_pred", "scores of lists, (batch, items)", tuple(s.shape))
        same_shape(self, y, s.shape, "Each item of a list has a relevance.")
        y = ops.reshape(y, ops.shape(s))
        if weights.mask is not None and len(weights.mask.shape) == 2:
            y = ops.where(weights.mask, y, -1.0)
        items = ops.shape(s)[1]
        g = ops.relu(y) if self.gain == "linear" else ops.expm1(ops.relu(y) * math.log(2))
        place = ops.where(y < 0, float("inf"), -s)  # rises from first to last
        ranks = ops.arange(1, items + 1, dtype="float32")
        δ = ops.where(ranks <= (self.k or items), discount(ranks), 0.0)
        dcg = ops.sum(g * _shares(δ, place), axis=1)
        idcg = ops.sum(-ops.sort(-g, axis=1) * δ, axis=1)
        w = weights(idcg) * ops.cast(idcg > 0, "float32")
        self._sum.assign_add(ops.sum(w * ops.divide_no_nan(dcg, idcg)))
        self._weight.assign_add(ops.sum(w))

    def result(self) -> Tensor:
        return ops.cast(ops.divide_no_nan(self._sum.value, self._weight.value), self.dtype)


def _shares(δ, place):
    """Each item's discount: that of its rank, or the mean over the ranks that equal items share."""
    rows = ops.sort(place, axis=1)
    before, until = count_below(rows, place), count_below(rows, place, including=True)
    total = ops.pad(ops.cumsum(δ), ((1, 0),))
    equal = until - before
    mean = (ops.take(total, until) - ops.take(total, before)) / ops.cast(equal, "float32")
    return ops.where(equal == 1, ops.take(δ, before), mean)
