"""Errors that a user can fix, and the first line of others."""


class RecipeError(Exception):
    """An error shown to the user as one message without a traceback; the exit code is 2."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; its class's name without any."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
