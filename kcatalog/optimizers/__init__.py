"""Optimizers and their wrappers; the path of each is `kcatalog.optimizers.<Class>`."""

from kcatalog.optimizers import schedules
from kcatalog.optimizers.wrappers.adaptive_gradient_clipping import AdaptiveGradientClipping
from kcatalog.optimizers.wrappers.gradient_centralization import GradientCentralization
from kcatalog.optimizers.wrappers.lookahead import Lookahead
from kcatalog.optimizers.wrappers.stochastic_weight_averaging import StochasticWeightAveraging
from kcatalog.optimizers.wrappers.wrapper import Wrapper

__all__ = [
    "AdaptiveGradientClipping",
    "GradientCentralization",
    "Lookahead",
    "StochasticWeightAveraging",
    "Wrapper",
    "schedules",
]
