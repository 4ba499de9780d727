"""Regularizers; the path of each is `kcatalog.regularizers.<Class>`."""

from kcatalog.regularizers.group_lasso import GroupLasso
from kcatalog.regularizers.soft_orthogonality import SoftOrthogonality
from kcatalog.regularizers.sparse_centers import SparseCenters

__all__ = [
    "GroupLasso",
    "SoftOrthogonality",
    "SparseCenters",
]
