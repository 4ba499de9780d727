"""The page at `/`: a form to try the model with. It loads nothing from the network."""

from __future__ import annotations

import html
import string
from importlib import resources

from kcatalog.recipe.data import inputs


def page(recipe: str, version: str, input_name: str, url: str) -> str:
    """Return the page as HTML."""
    kinds = inputs.kind(input_name).files
    text = "text/plain" in kinds
    words = {
        "recipe": recipe,
        "version": version,
        "accepted": ", ".join(kinds),
        "suffixes": ", ".join(dict.fromkeys(kinds.values())),
        "or_write": " or enter text" if text else "",
        "hidden": "" if text else " hidden",
        "curl": curl(input_name, url),
        "predict": f"/v1/models/{recipe}:predict",
        "metadata": f"/v1/models/{recipe}/metadata",
    }
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    safe = {name: html.escape(word) for name, word in words.items()}
    return string.Template(template).substitute(safe)


def curl(input_name: str, url: str) -> str:
    """Return a shell command that sends a file."""
    suffix = next(iter(inputs.kind(input_name).files.values()))
    return f"curl -F file=@file{suffix} {url}/predict"
