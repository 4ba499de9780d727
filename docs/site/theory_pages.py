"""Pages of the theory, as `python -m docs.theory` left them."""

from __future__ import annotations

import re
from pathlib import Path

from docs.site import pages
from docs.theory.chapters import CHAPTERS

INTRODUCTION = """# Theory with experiments

What a textbook of deep learning says, statement by statement, each with a short experiment on Keras
and kcatalog. The numbers in the text and the figures come from running it when this site was built,
and a test checks each statement. Some of what is often said is true only in part; the
page says so.
"""


def theory_pages(folder: Path) -> dict[str, str | bytes]:
    """Return pages and figures: place -> content.

    Args:
        folder: where `python -m docs.theory` wrote them. Without it there is one page that says so.
    """
    chapters = [name for name in CHAPTERS if (folder / f"{name}.md").is_file()]
    if not chapters:
        words = (
            "\nThe experiments were not run for this build: `python -m docs.theory` runs them.\n"
        )
        return {"theory/index.md": INTRODUCTION + words}
    found = {f"theory/{f.relative_to(folder).as_posix()}": f.read_bytes()
             for f in sorted(folder.rglob("*.svg"))}  # fmt: skip
    lines = []
    for name in chapters:
        text = found[f"theory/{name}.md"] = (folder / f"{name}.md").read_text(encoding="utf-8")
        shown = re.findall(r"^## (.+)$", text, re.MULTILINE)
        lines.append(f"- [{pages.title(text)}]({name}.md)")
        lines += [f"  - [{title}]({name}.md#{_anchor(title)})" for title in shown]
    index = INTRODUCTION + "\n" + "\n".join(lines) + "\n" + pages.contents(chapters)
    return {"theory/index.md": index, **found}


def _anchor(title: str) -> str:
    """Return a heading's anchor, as MyST makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
