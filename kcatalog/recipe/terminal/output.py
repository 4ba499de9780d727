"""The console of a recipe."""

from __future__ import annotations

from rich.console import Console


def console(**options) -> Console:
    """Return a console that prints text literally: users' names may hold brackets and colons."""
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, **options)
