from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.neighbours import Neighbours
from kcatalog.ops.retrieval import map_at_r
from kcatalog.registry import component


@component(
    paper=Paper(
        "A Metric Learning Reality Check",
        "Musgrave, Belongie, Lim",
        2020,
        "https://arxiv.org/abs/2003.08505",
        "section 3.2",
    ),
    equation="mean over samples of 1/R Σ over positives of rank r ≤ R of precision@r",
    better="higher",
    tags=("integer-labels", "embeddings", "streaming"),
    space={"distance": Choice("cosine", "euclidean")},
    example=Example(
        {"max_neighbours": 5, "distance": "euclidean", "capacity": 32},
        shape=(8,),
        targets="labels",
        classes=3,
    ),
)
class MAPAtR(Neighbours):
    """MAP@R: mean average precision at `R`, as many neighbours as a sample has positives.

    The score to compare embeddings by: 1 only if every sample has all its positives (others of its
    class) as its nearest neighbours, and lower the earlier a negative stands among them, where
    recall@k is soon at its end and hides the difference. Every sample of the epoch is searched
    for among all others; for sets too large to be kept, and classes of any size,
    `kcatalog.ops.retrieval_scores` does it in chunks.

    Maths:
        `Σ w_i AP_i / Σ w_i` over samples that have a positive, with `AP_i = 1/R_i Σ j / r_ij` over
        the positives `j` with `r_ij ≤ R_i`; `R_i` is the number of positives of `i`, `r_ij` the
        rank of the `j`-th nearest of them among all others by `distance`, `w` the sample weights.
        `j / r_ij` is the precision at that rank. Of equally near neighbours negatives come
        first.

    Args:
        max_neighbours: How many neighbours are looked at, an integer in [1, inf). Give at least the
            size of the largest class, less one; for queries with more positives `R` is
            `max_neighbours`: they are scored on their nearest neighbours only.

    Example:
        On a line, 0, 1 and 3 are of one class. 0 and 1 have a negative in second place, `AP = 1/2`;
        3 has it in first, `AP = 1/4`. The negative, 2.2, has nobody to find:

        >>> metric = MAPAtR(distance="euclidean")
        >>> round(float(metric([7, 7, 7, 8], [[0.0], [1.0], [3.0], [2.2]])), 4)
        0.4167
    """

    def __init__(
        self,
        max_neighbours: int = 100,
        distance: str = "cosine",
        capacity: int = 4096,
        **kwargs: Any,
    ):
        super().__init__(distance, capacity, **kwargs)
        self.max_neighbours = checks.integer(self, "max_neighbours", max_neighbours, "[1, inf)")
        self._keep(positives=max_neighbours, negatives=max_neighbours)

    def _scores(self, r):
        return map_at_r(r)
