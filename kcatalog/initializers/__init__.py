"""Initializers; the path of each is `kcatalog.initializers.<Class>`."""

from kcatalog.initializers.chrono import Chrono

__all__ = ["Chrono"]
