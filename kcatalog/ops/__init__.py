"""Maths that several parts share, on `keras.ops`."""

from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.mining import semi_hard_negatives
from kcatalog.ops.retrieval import recall_at_k

__all__ = ["pairwise_distances", "recall_at_k", "semi_hard_negatives"]
