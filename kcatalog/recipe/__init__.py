"""The engine that turns parts into trained, tuned, monitored and exported models."""

from kcatalog.recipe.recipe import Recipe
from kcatalog.recipe.terminal.errors import RecipeError

__all__ = ["Recipe", "RecipeError"]
