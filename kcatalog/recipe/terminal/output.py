"""Where a recipe prints."""

from __future__ import annotations

from rich.console import Console


def console(**options) -> Console:
    """A console that prints names and texts of users as they are, whatever brackets and colons
    stand in them."""
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, **options)
