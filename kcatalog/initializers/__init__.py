"""Initializers; the path of each is `kcatalog.initializers.<Class>`."""

from kcatalog.initializers.chrono import Chrono
from kcatalog.initializers.delta_orthogonal import DeltaOrthogonal
from kcatalog.initializers.identity_recurrent import IdentityRecurrent
from kcatalog.initializers.lsuv import lsuv

__all__ = ["Chrono", "DeltaOrthogonal", "IdentityRecurrent", "lsuv"]
