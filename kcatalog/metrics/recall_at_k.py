from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.neighbours import Neighbours
from kcatalog.ops.retrieval import found_at_k
from kcatalog.registry import component


@component(
    paper=Paper(
        "Product Quantization for Nearest Neighbor Search",
        "Jégou, Douze, Schmid",
        2011,
        "https://doi.org/10.1109/TPAMI.2010.57",
        "section V-B",
    ),
    equation="mean over samples of [nearest of its class is nearer than the k-th of the others]",
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
class RecallAtK(Neighbours):
    """Recall@k: the share of samples with one of their class among their k nearest neighbours.

    What metric learning reports for embeddings: every sample of the epoch is searched for among
    all others, and scores 1 or 0. It compares samples of different batches, so it keeps
    embeddings: `capacity` of them. For sets too large for that, or in a loop of your
    own, `kcatalog.ops.recall_at_k` does the same in chunks. In ranking and recommendation
    recall@k is another thing, the share of relevant items found.

    Maths:
        `R = Σ w_i [d⁺_i < d⁻_i] / Σ w_i` over samples that have another of their class, with `d⁺`
        the `distance` to the nearest of the same class, `d⁻` that to the `k`-th nearest of all
        other classes, and `w` the sample weights: fewer than `k` negatives are nearer than
        the nearest positive. Ties count as misses: mapping all to one point scores 0.

    Args:
        k: How many neighbours count, an integer in [1, inf).

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; only 3 is nearer to a negative:

        >>> metric = RecallAtK(k=1, distance="euclidean")
        >>> float(metric([7, 7, 8, 8], [[0.0], [1.0], [3.0], [9.0]]))
        0.75
    """

    def __init__(self, k: int = 1, distance: str = "cosine", capacity: int = 4096, **kwargs: Any):
        super().__init__(distance, capacity, **kwargs)
        self.k = checks.integer(self, "k", k, "[1, inf)")
        self._keep(positives=1, negatives=k)

    def _scores(self, r):
        return found_at_k(r, self.k)
