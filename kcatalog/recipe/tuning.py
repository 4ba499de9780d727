"""Draws a part's search space from its card, and chooses among parts."""

from __future__ import annotations


def choose(hp, name: str, options: list, fixed: dict | None = None):
    """One of `options` (public paths, `card.Part`s, or None), built with its own drawn space.

    `fixed` arguments are given to every option that has them. Returns None where None is chosen.
    """
    raise NotImplementedError


def draw(hp, path: str, name: str | None = None, **fixed):
    """The part at `path`, its card's search space drawn as hyperparameters `name.argument`."""
    raise NotImplementedError


def optimizer(hp, options: list, wrappers: list = (None,), fixed: dict | None = None):
    """An optimizer, perhaps inside a wrapper (whose argument `inner` it becomes)."""
    raise NotImplementedError
