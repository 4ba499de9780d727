"""Callbacks; the path of each is `kcatalog.callbacks.<Class>`."""

from kcatalog.callbacks.gradient_flow import GradientFlow

__all__ = ["GradientFlow"]
