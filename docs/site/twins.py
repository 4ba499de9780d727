"""The site for programs: Markdown beside each page, llms.txt, and catalog.json."""

from __future__ import annotations

import json
import re

from docs.site import checked, names, pages, part_pages
from kcatalog import registry
from kcatalog.cli.catalog import facts

_DIRECTIVES = re.compile(r"^(:{3,}|`{3})\{[^}]+\}.*?^\1\n?", re.MULTILINE | re.DOTALL)
_FIGURES = re.compile(
    r"^`{3}\{figure\} (\S+)\n(?::[^\n]*\n)*\n(.*?)\n`{3}$", re.MULTILINE | re.DOTALL
)
_PICTURES = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)
ABOUT = (
    "Layers, losses, metrics, regularizers, constraints, optimizers, callbacks and recipes for "
    "Keras 3 on TensorFlow, JAX and PyTorch."
)


def twins(written: dict[str, str | bytes]) -> dict[str, str | bytes]:
    """Return the files: place in the finished site -> content.

    Args:
        written: the files that Sphinx reads.
    """
    plots = {place: text for place, text in written.items() if isinstance(text, bytes)}
    pages_of_parts = part_pages.part_pages(typeset=False, plots=plots)
    texts = {p: t for p, t in {**written, **pages_of_parts}.items() if isinstance(t, str)}
    found = {place: _plain(text) for place, text in texts.items()}
    found["parts/index.md"] = _list_of_parts()
    found["llms.txt"] = _llms(found)
    found["catalog.json"] = json.dumps(_catalog(), indent=1, ensure_ascii=False) + "\n"
    return {**written, **found}


def _plain(text: str) -> str:
    """Return Markdown without directives; of those that hold pictures, the pictures stay."""
    text = _FIGURES.sub(r"![\2](\1)", text)
    return _DIRECTIVES.sub(lambda found: "\n\n".join([*_PICTURES.findall(found[0]), ""]), text)


def _list_of_parts() -> str:
    lines = [
        f"- [{e.path}]({names.place(e).removeprefix('parts/')}): {e.summary}"
        for e in registry.find()
    ]
    return "# Find a part\n\n" + "\n".join(lines) + "\n"


def _llms(found: dict[str, str]) -> str:
    """Return the overview that language models read first, with a link to each page."""
    lines = [f"# kcatalog\n\n> {ABOUT}\n", "`catalog.json` has all parts as data.\n"]
    for title, folder in (
        ("Start", ""),
        ("Guides", "guides/"),
        ("Notebooks", "notebooks/"),
        ("Recipes", "recipes/"),
    ):
        lines.append(f"## {title}\n")
        for place, text in sorted(found.items()):
            if place.startswith(folder) and place.count("/") == folder.count("/"):
                lines.append(f"- [{pages.title(text)}]({place})")
        lines.append("")
    lines.append("## Parts\n")
    lines += [f"- [{e.path}]({names.place(e)}): {e.summary}" for e in registry.find()]
    return "\n".join(lines) + "\n"


def _catalog() -> list[dict]:
    """Return each part as `kcatalog list --json` has it, with its page, exports and backends."""
    return [
        {
            **facts(e),
            "page": names.place(e).replace(".md", ".html"),
            "backends": checked.backends(e),
            "export": checked.exports(e) if e.origin == "kcatalog" else {},
        }
        for e in registry.find()
    ]
