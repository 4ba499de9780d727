from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import By, Choice, Example, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.neighbours import embeddings_and_labels
from kcatalog.ops.weights import Weights, without_nan
from kcatalog.ops.words import same_words
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Understanding Contrastive Representation Learning through Alignment and Uniformity on "
        "the Hypersphere",
        "Wang, Isola",
        2020,
        "https://arxiv.org/abs/2005.10242",
        "section 4.1",
    ),
    equation="mean, min or max of D(i, j) over pairs of one class, of two classes, or the gap",
    better=By("pairs", positive="lower", negative="higher", gap="higher"),
    tags=("integer-labels", "embeddings"),
    space={
        "pairs": Choice("positive", "negative", "gap"),
        "aggregate": Choice("mean", "min", "max"),
    },
    example=Example(
        {"pairs": "gap", "aggregate": "min", "distance": "euclidean"},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class EmbeddingDistance(Metric):
    """Distances of positive or negative pairs within a batch, or the gap between them.

    To watch metric learning while it trains, at the cost of one product of the batch with itself.
    Positive pairs that come to 0 together with negative ones are a collapse, which the loss
    may not show; a gap that stands still is a loss without gradient. It says how an embedding
    looks, not how well it retrieves: for that take `MAPAtR` or `RecallAtK`. The mean of
    positive pairs in squared Euclidean distance, for embeddings of length 1, is the paper's
    alignment.

    Maths:
        `D⁺` are the distances of pairs of two samples of the same class, `D⁻` of different classes.
        `pairs="positive"` takes `mean`, `min` or `max` of `D⁺`, `pairs="negative"` of `D⁻`, and
        `pairs="gap"` that of all differences `D⁻ - D⁺`: `mean D⁻ - mean D⁺`, `min D⁻ - max D⁺`
        (above 0: the classes are apart), `max D⁻ - min D⁺`.

    Args:
        pairs: `"positive"` (same class), `"negative"` (different classes) or `"gap"`.
        aggregate: `"mean"`, `"min"` or `"max"`.
        distance: `"cosine"`, `"euclidean"` or `"squared_euclidean"`.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`. The result is a scalar.

    Behaviour:
        Only samples of the same batch are compared. The mean is over all pairs so far, a pair
        weighing the product of its samples' weights. An extreme is that of each batch, among
        samples of a weight above 0, and the result their mean over batches that have such
        pairs: it depends on the batch size. Without pairs the result is 0. TensorFlow
        Similarity's `avg_pos` is the mean over each sample's farthest positive, and its
        values are those of the last batch; its gap has no sign.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; the nearest negatives are 2 apart,
        the farthest positives 6:

        >>> metric = EmbeddingDistance("gap", "min", distance="euclidean")
        >>> float(metric([7, 7, 8, 8], [[0.0], [1.0], [3.0], [9.0]]))
        -4.0
    """

    def __init__(
        self,
        pairs: str = "positive",
        aggregate: str = "mean",
        distance: str = "cosine",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.pairs = checks.choice(self, "pairs", pairs, ("positive", "negative", "gap"))
        self.aggregate = checks.choice(self, "aggregate", aggregate, ("mean", "min", "max"))
        self.distance = checks.choice(
            self, "distance", distance, ("cosine", "euclidean", "squared_euclidean")
        )
        # of each kind of pair: the sum of what was seen, and its weight
        self._positive = self.add_variable((2,), "zeros", "float32", name="positive")
        self._negative = self.add_variable((2,), "zeros", "float32", name="negative")

    def read(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        x, labels = embeddings_and_labels(self, y_true, y_pred)
        return labels, x

    def count(self, labels: Tensor, x: Tensor, weights: Weights) -> None:
        D = pairwise_distances(without_nan(x), metric=self.distance)
        w, same = weights(x[:, 0]), same_words(labels, labels)
        w = ops.where(ops.isnan(ops.sum(w)), float("nan"), w)  # also of what has no pair
        w = w[:, None] * w[None, :]
        gap = {"mean": "mean", "min": "max", "max": "min"}[self.aggregate]
        of_positive = gap if self.pairs == "gap" else self.aggregate
        one = ops.eye(ops.shape(x)[0], dtype="bool")
        positive = ops.where(ops.logical_and(same, ops.logical_not(one)), w, 0.0)
        negative = ops.where(same, 0.0, w)
        self._positive.assign_add(_aggregated(D, positive, of_positive))
        self._negative.assign_add(_aggregated(D, negative, self.aggregate))

    def result(self) -> Tensor:
        (positive, some), (negative, others) = (
            (ops.divide_no_nan(state[0], state[1]), state[1] != 0)
            for state in (self._positive.value, self._negative.value)
        )
        both = ops.logical_and(some, others)
        gap = ops.where(both, negative - positive, 0.0)
        value = {"positive": positive, "negative": negative, "gap": gap}[self.pairs]
        return ops.cast(value, self.dtype)


def _aggregated(D, w, aggregate):
    """Return a batch's part of the sum and of its weight: all pairs, or one extreme."""
    if aggregate == "mean":
        return ops.stack([ops.sum(w * D), ops.sum(w)])
    there = ops.cast(ops.any(w > 0), "float32")
    if aggregate == "min":
        extreme = ops.min(ops.where(w > 0, D, float("inf")))
    else:
        extreme = ops.max(ops.where(w > 0, D, 0.0))
    each = ops.stack([ops.where(there > 0, extreme, 0.0), there])
    return ops.where(ops.isnan(ops.sum(w)), float("nan"), each)
