"""The engine that turns parts into trained, tuned, monitored and exported models."""

from kcatalog.recipe.recipe import Recipe

__all__ = ["Recipe"]
