"""Callbacks; the path of each is `kcatalog.callbacks.<Class>`."""

from kcatalog.callbacks.activation_statistics import ActivationStatistics
from kcatalog.callbacks.gradient_flow import GradientFlow
from kcatalog.callbacks.step_size import StepSize

__all__ = ["ActivationStatistics", "GradientFlow", "StepSize"]
