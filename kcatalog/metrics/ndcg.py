from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.neighbours import Neighbours
from kcatalog.ops.retrieval import ndcg_at_k
from kcatalog.registry import component


@component(
    paper=Paper(
        "Cumulated gain-based evaluation of IR techniques",
        "Järvelin, Kekäläinen",
        2002,
        "https://doi.org/10.1145/582415.582418",
        "section 2, with another discount",
    ),
    equation="mean over samples of Σ over positives at r ≤ k of 1 / log2(1 + r), over the best",
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
class NDCG(Neighbours):
    """NDCG@k of embeddings: discounted gain of a sample's own class among its k nearest neighbours.

    A positive (another of its class) at rank `r` gains `1 / log2(1 + r)`, and 1 is what a perfect
    order would gain: between precision@k, which ignores the order, and the reciprocal rank,
    which ignores all but the first. Relevance is yes or no here, by the label; `RankingNDCG`
    takes lists with grades. Every sample of the epoch is searched for among all others; for sets
    too large to be kept `kcatalog.ops.retrieval_scores` does it in chunks.

    Maths:
        `Σ w_i DCG_i / IDCG_i / Σ w_i` over samples that have a positive, with `DCG_i = Σ 1 / log2(1
        + r_ij)` over the positives with `r_ij ≤ k`, and `IDCG_i` the same sum over the ranks `1, 2,
        ..., min(k, positives)`; `r_ij` is the rank of the `j`-th nearest positive of `i` among all
        others by `distance`, `w` the sample weights. Of equally near neighbours negatives come
        first. Differs from the paper: its discount `log2 r` leaves the ranks 1 and 2 alike.
        Differs from TensorFlow Similarity, whose best sum is over the positives that were found,
        so that one positive at rank 1 scores 1 however many are missing.

    Args:
        k: How many neighbours count, an integer in [1, inf).

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; 3 has its positive at rank 3, which
        gains `1 / log2 4`, the others at rank 1:

        >>> metric = NDCG(distance="euclidean")
        >>> float(metric([7, 7, 8, 8], [[0.0], [1.0], [3.0], [9.0]]))
        0.875
    """

    def __init__(self, k: int = 10, distance: str = "cosine", capacity: int = 4096, **kwargs: Any):
        super().__init__(distance, capacity, **kwargs)
        self.k = checks.integer(self, "k", k, "[1, inf)")
        self._keep(positives=k, negatives=k)

    def _scores(self, r):
        return ndcg_at_k(r, self.k)
