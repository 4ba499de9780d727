"""The base of losses that compare the distances of a batch's embeddings."""

from typing import Any

from kcatalog import checks
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.distances import DISTANCES


class DistanceLoss(InBatchLoss):
    """Base of in-batch losses of distances between embeddings.

    Args:
        distance: `D`: `"euclidean"`, `"squared_euclidean"` or `"cosine"` (1 - cosine).
        normalize: True to scale embeddings to length 1 first.
    """

    def __init__(self, distance: str = "euclidean", normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.distance = checks.choice(self, "distance", distance, DISTANCES)
        self.normalize = checks.boolean(self, "normalize", normalize)
