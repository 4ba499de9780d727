"""What went wrong, for the person at the terminal."""


class RecipeError(Exception):
    """One clear sentence for the user: shown on stderr without a traceback, exit code 2."""
