"""The arguments that a part is drawn with."""

from __future__ import annotations

from kcatalog.card import build_args, render_args
from kcatalog.registry import Entry

OF_EXAMPLE = ("optimizers", "schedules", "constraints", "samplers")  # defaults would show little
# They say what the data are, or make a plot the same in each build.
OF_DATA = ("bounding_box_format", "from_logits", "seed")


def arguments(entry: Entry) -> dict:
    """Return the example's arguments; of most kinds those alone that have no default."""
    example = entry.card.example.args
    if entry.kind in OF_EXAMPLE:
        return example
    needed = {a.name for a in entry.arguments if a.required} | set(OF_DATA)
    return {  # a list of a loss has a number for each class or output
        name: value
        for name, value in example.items()
        if name in needed or (entry.kind == "losses" and isinstance(value, list))
    }


def make(entry: Entry, **more):
    """Return the part, built anew."""
    return entry.load()(**build_args({**arguments(entry), **more}))


def code(entry: Entry, **more) -> str:
    """Return how the part was made, as code in Markdown."""
    return f"`{entry.name}({render_args({**arguments(entry), **more})})`"
