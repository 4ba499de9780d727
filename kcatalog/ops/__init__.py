"""Maths that several parts share, on `keras.ops`."""

from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.mining import semi_hard_negatives

__all__ = ["pairwise_distances", "semi_hard_negatives"]
