"""The page at `/`: a form to try the model with; it needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import string
from importlib import resources

from kcatalog.recipe.serve import files


def page(recipe: str, version: str, input_name: str, url: str) -> tuple[str, str]:
    """The page, and the content security policy under which just its own script runs."""
    accepted = files.accepted(input_name)
    text = "text/plain" in accepted
    words = {
        "recipe": recipe,
        "version": version,
        "accepted": ", ".join(accepted),
        "or_write": ", or write" if text else "",
        "hidden": "" if text else " hidden",
        "curl": curl(input_name, url),
        "predict": f"/v1/models/{recipe}:predict",
        "metadata": f"/v1/models/{recipe}/metadata",
    }
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    safe = {name: html.escape(word) for name, word in words.items()}
    content = string.Template(template).substitute(safe)
    policy = {
        "default-src": "'none'",
        "script-src": _hash(content, "script"),
        "style-src": _hash(content, "style"),
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return content, "; ".join(f"{name} {value}" for name, value in policy.items())


def curl(input_name: str, url: str) -> str:
    """A command that sends a file."""
    kind = files.accepted(input_name)[0]
    name = f"file{files.SUFFIXES[kind]}"
    return f"curl -H 'Content-Type: {kind}' --data-binary @{name} {url}/predict"


def _hash(content: str, tag: str) -> str:
    """How a policy names what stands between a tag's two ends."""
    (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", content, re.DOTALL)
    digest = hashlib.sha256(inside.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
