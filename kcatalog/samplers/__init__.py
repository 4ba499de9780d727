"""Samplers, which make batches; the path of each is `kcatalog.samplers.<Class>`."""

from kcatalog.samplers.m_per_class import MPerClass

__all__ = ["MPerClass"]
