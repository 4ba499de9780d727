"""Weight constraints; the path of each is `kcatalog.constraints.<Class>`."""

from kcatalog.constraints.box import Box
from kcatalog.constraints.l1_ball import L1Ball
from kcatalog.constraints.simplex import Simplex
from kcatalog.constraints.spectral_norm import SpectralNorm
from kcatalog.constraints.stiefel import Stiefel

__all__ = ["Box", "L1Ball", "Simplex", "SpectralNorm", "Stiefel"]
