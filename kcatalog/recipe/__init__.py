"""The engine that turns parts into trained, tuned, monitored and exported models."""

from kcatalog import quiet

quiet.tensorflow(level=3)  # before anything imports it
quiet.retracing()

from kcatalog.recipe.commands import early_help  # noqa: E402

early_help.answer()

from kcatalog.recipe.recipe import Recipe  # noqa: E402
from kcatalog.recipe.terminal.errors import RecipeError  # noqa: E402

__all__ = ["Recipe", "RecipeError"]
