from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.neighbours import Neighbours
from kcatalog.ops.retrieval import precision_at_k
from kcatalog.registry import component


@component(
    paper=Paper(
        "Introduction to Information Retrieval",
        "Manning, Raghavan, Schütze",
        2008,
        "https://nlp.stanford.edu/IR-book/",
        "section 8.4",
    ),
    equation="mean over samples of |positives among the k nearest| / k",
    better="higher",
    tags=("integer-labels", "embeddings", "streaming"),
    space={"distance": Choice("cosine", "euclidean")},
    example=Example(
        {"k": 2, "distance": "euclidean", "capacity": 32},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class PrecisionAtK(Neighbours):
    """Precision@k: the share of a sample's own class among its k nearest neighbours.

    What a user sees on the first page: how many of `k` answers are right. Its best value depends on
    the classes: a sample with fewer than `k` positives (others of its class) cannot reach
    1. Where that matters take `RPrecision`. With `k=1` it is `RecallAtK`. Every sample of the
    epoch is searched for among all others; for sets too large to be kept
    `kcatalog.ops.retrieval_scores` does it in chunks.

    Maths:
        `P = Σ w_i |{j: r_ij ≤ k}| / k / Σ w_i` over samples that have a positive, with `r_ij` the
        rank of the `j`-th nearest positive of `i` among all others by `distance`, and `w` the
        sample weights. Of equally near neighbours negatives come first.

    Args:
        k: How many neighbours count, an integer in [1, inf).

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another. Each has one positive; only that of
        3 is not among its two nearest:

        >>> metric = PrecisionAtK(k=2, distance="euclidean")
        >>> float(metric([7, 7, 8, 8], [[0.0], [1.0], [3.0], [9.0]]))
        0.375
    """

    def __init__(self, k: int = 10, distance: str = "cosine", capacity: int = 4096, **kwargs: Any):
        super().__init__(distance, capacity, **kwargs)
        self.k = checks.integer(self, "k", k, "[1, inf)")
        self._keep(positives=k, negatives=k)

    def _scores(self, r):
        return precision_at_k(r, self.k)
