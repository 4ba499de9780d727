"""Metrics; the path of each is `kcatalog.metrics.<Class>`."""

from kcatalog.metrics.recall_at_k import RecallAtK

__all__ = ["RecallAtK"]
