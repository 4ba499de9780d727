"""Links from the names of parts in prose to their pages."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

from kcatalog import registry

_BLOCKS = re.compile(r"(^```.*?^```|^(?: {4,}|\t).*?$)", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"(?<!\[)`([a-z_][\w.]*\.\w+)`(?!\])")


def place(entry: registry.Entry) -> str:
    """Return where a part's page stands in the site."""
    origin = "" if entry.origin == "kcatalog" else f"{entry.origin}_"
    return f"parts/{origin}{entry.kind}/{entry.name}.md"


def linked(text: str, page: str) -> str:
    """Return Markdown in which names such as `losses.TripletHard` lead to the part's page.

    Code blocks stay as they are.

    Args:
        text: the Markdown.
        page: the place of the page it stands on.
    """
    pages = by_name()

    def link(match):
        target = pages.get(match[1])
        if target is None or target == page:
            return match[0]
        return f"[`{match[1]}`]({os.path.relpath(target, Path(page).parent)})"

    pieces = _BLOCKS.split(text)
    return "".join(p if i % 2 else _NAME.sub(link, p) for i, p in enumerate(pieces))


@functools.cache
def by_name() -> dict[str, str]:
    """Return the pages by the names under which prose speaks of parts."""
    found = {}
    for entry in registry.find():
        found[entry.path] = place(entry)
        if entry.origin == "kcatalog":
            found[entry.path.removeprefix("kcatalog.")] = place(entry)
    return found
