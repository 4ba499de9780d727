"""Optimizers and their wrappers; the path of each is `kcatalog.optimizers.<Class>`."""

from kcatalog.optimizers import schedules
from kcatalog.optimizers.wrappers import (
    AdaptiveGradientClipping,
    GradientCentralization,
    Lookahead,
    StochasticWeightAveraging,
    Wrapper,
)

__all__ = [
    "AdaptiveGradientClipping",
    "GradientCentralization",
    "Lookahead",
    "StochasticWeightAveraging",
    "Wrapper",
    "schedules",
]
