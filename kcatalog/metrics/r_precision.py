from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.neighbours import Neighbours
from kcatalog.ops.retrieval import r_precision
from kcatalog.registry import component


@component(
    paper=Paper(
        "A Metric Learning Reality Check",
        "Musgrave, Belongie, Lim",
        2020,
        "https://arxiv.org/abs/2003.08505",
        "section 3.2",
    ),
    equation="mean over samples of |positives among the R nearest| / R",
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
class RPrecision(Neighbours):
    """R-precision: the share of its own class among the `R` nearest, where `R` are to be found.

    1 says that every class lies together, apart from all others, whatever their sizes: each sample
    is asked for just as many neighbours as it has positives (others of its class). The order
    within these does not count: see `MAPAtR`. Every sample of the epoch is searched for
    among all others; for sets too large to be kept, and classes of any size,
    `kcatalog.ops.retrieval_scores` does it in chunks.

    Maths:
        `Σ w_i |{j: r_ij ≤ R_i}| / R_i / Σ w_i` over samples that have a positive, with `R_i` the
        number of positives of `i`, `r_ij` the rank of the `j`-th nearest of them among all others
        by `distance`, and `w` the sample weights. Of equally near neighbours negatives come first.

    Args:
        max_neighbours: How many neighbours are looked at, an integer in [1, inf). Give at least the
            size of the largest class, less one; for queries with more positives `R` is
            `max_neighbours`: they are scored on their nearest neighbours only.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; with `R = 1`, 3 finds a negative:

        >>> metric = RPrecision(distance="euclidean")
        >>> float(metric([7, 7, 8, 8], [[0.0], [1.0], [3.0], [9.0]]))
        0.75
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
        return r_precision(r)
