"""Finds the optimizers that make the steps, inside wrappers and loss scaling."""

from typing import Any

import keras


def innermost(optimizer: keras.optimizers.Optimizer) -> list[tuple[str, Any]]:
    """Return pairs of a suffix for names and an optimizer; only `MultiOptimizer` has several.

    >>> from kcatalog.optimizers import Lookahead
    >>> [(suffix, type(o).__name__) for suffix, o in innermost(Lookahead(keras.optimizers.SGD()))]
    [('', 'SGD')]
    """
    for inside in ("inner", "inner_optimizer"):
        if isinstance(getattr(optimizer, inside, None), keras.optimizers.Optimizer):
            return innermost(getattr(optimizer, inside))
    several = getattr(optimizer, "optimizers", None)
    if several:
        return [(f"/{o.name}", i) for o in several for _, i in innermost(o)]
    return [("", optimizer)]
