from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.neighbours import Neighbours
from kcatalog.ops.retrieval import reciprocal_rank
from kcatalog.registry import component


@component(
    paper=Paper(
        "The TREC-8 Question Answering Track Report",
        "Voorhees",
        1999,
        "https://trec.nist.gov/pubs/trec8/papers/qa_report.pdf",
    ),
    equation="mean over samples of 1 / rank of the nearest of its class",
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
class MeanReciprocalRank(Neighbours):
    """Mean reciprocal rank: one over the rank of the first of a sample's own class.

    For a user who reads answers from the top and stops at the first right one: the first answer is
    worth 1, the second 1/2. It tells hits by their place where `RecallAtK` only counts them,
    and says nothing of all that follow. Every sample of the epoch is searched for among all
    others; for sets too large to be kept `kcatalog.ops.retrieval_scores` does it in chunks,
    down to any rank.

    Maths:
        `Σ w_i [r_i ≤ k] / r_i / Σ w_i` over samples that have another of their class, with `r_i`
        the rank of the nearest of these among all others by `distance`, and `w` the sample
        weights. Of equally near neighbours negatives come first. This is MRR@k, less than
        `1 / k` below the mean without an end.

    Args:
        k: How many neighbours count, an integer in [1, inf); a first positive beyond counts 0.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; 3 meets two negatives first:

        >>> metric = MeanReciprocalRank(distance="euclidean")
        >>> round(float(metric([7, 7, 8, 8], [[0.0], [1.0], [3.0], [9.0]])), 4)
        0.8333
    """

    def __init__(self, k: int = 100, distance: str = "cosine", capacity: int = 4096, **kwargs: Any):
        super().__init__(distance, capacity, **kwargs)
        self.k = checks.integer(self, "k", k, "[1, inf)")
        self._keep(positives=1, negatives=k)

    def _scores(self, r):
        return reciprocal_rank(r, self.k)
