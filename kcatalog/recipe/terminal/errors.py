"""Errors that a user can fix."""


class RecipeError(Exception):
    """An error shown to the user as one message without a traceback; the exit code is 2."""
