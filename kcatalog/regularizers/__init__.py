"""Regularizers; the path of each is `kcatalog.regularizers.<Class>`."""

from kcatalog.regularizers.activation_norm import ActivationNorm
from kcatalog.regularizers.confidence_penalty import ConfidencePenalty
from kcatalog.regularizers.decorrelation import Decorrelation
from kcatalog.regularizers.double_soft_orthogonality import DoubleSoftOrthogonality
from kcatalog.regularizers.group_lasso import GroupLasso
from kcatalog.regularizers.hoyer import Hoyer
from kcatalog.regularizers.kl_sparsity import KLSparsity
from kcatalog.regularizers.regular_face import RegularFace
from kcatalog.regularizers.soft_orthogonality import SoftOrthogonality
from kcatalog.regularizers.sparse_centers import SparseCenters
from kcatalog.regularizers.sparse_group_lasso import SparseGroupLasso
from kcatalog.regularizers.spectral_norm import SpectralNorm
from kcatalog.regularizers.spectral_restricted_isometry import SpectralRestrictedIsometry
from kcatalog.regularizers.temporal_activation import TemporalActivation
from kcatalog.regularizers.total_variation import TotalVariation

__all__ = [
    "ActivationNorm",
    "ConfidencePenalty",
    "Decorrelation",
    "DoubleSoftOrthogonality",
    "GroupLasso",
    "Hoyer",
    "KLSparsity",
    "RegularFace",
    "SoftOrthogonality",
    "SparseCenters",
    "SparseGroupLasso",
    "SpectralNorm",
    "SpectralRestrictedIsometry",
    "TemporalActivation",
    "TotalVariation",
]
