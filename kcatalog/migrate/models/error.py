"""The error of a model that cannot be migrated."""


class ModelError(Exception):
    """Something in an old model's file that has no counterpart. Its message says what to do."""
