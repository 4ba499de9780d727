"""Weight constraints; the path of each is `kcatalog.constraints.<Class>`."""

from kcatalog.constraints.simplex import Simplex

__all__ = ["Simplex"]
