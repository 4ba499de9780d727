"""The hand-written pages of the site: the tree's Markdown files, put in their places.

A page stays where it is written. Here stands where it goes; links between files of the tree become
links between pages, and a link to a file that is no page becomes a download.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from kcatalog.migrate import table

ROOT = Path(__file__).resolve().parents[2]

# Pages in the order of the sidebar, each with what a reader finds on it.
GUIDES = {
    "coming_from": "The command that rewrites programs, and what replaces each name.",
    "migrate_model": "A model that Keras 2 saved becomes a `.keras` file of Keras 3.",
    "first_model": "Exchange the loss of a Keras model, see what that gains, then run a recipe.",
    "own_recipe": "From a folder or a CSV file to a served model in 50 lines.",
    "your_data": "Images, sound, series, texts and tables: how each is read and what is refused.",
    "transfer_learning": "Begin with a pretrained network where there are few images.",
    "which_loss": "Questions that lead to a loss, with the scores that each answer rests on.",
    "which_optimizer": "Where to start, and how the catalog's optimizers were compared.",
    "metric_learning": "From sampler to search; time and memory beside two other libraries.",
    "tuning": "Trials, cross-validation, parallel and cluster searches, interrupted searches.",
    "monitoring": "Each tab of TensorBoard, and what to conclude from it.",
    "serving": "Export to SavedModel, LiteRT and ONNX, int8 and float16, and serve over HTTP.",
    "devices": "GPUs, TPUs, and several machines.",
    "check_your_own_part": "`kcatalog new` writes a part to start from, `kcatalog check` tries it.",
    "own_task": "Scores, outputs and pictures of a kind of problem that kcatalog does not know.",
    "faults": "Kills, full disks and damaged files: what happens, and the test that shows it.",
}
START = "guides/first_model"  # stands in the header by itself
NOTEBOOKS = {
    "own_pictures": "A network that finds similar pictures, also of classes it has never seen.",
    "crf_tagger": "Tags that depend on each other: `layers.CRF` beside a softmax for each step.",
    "compare_optimizers": "Five optimizers at three learning rates, and what matters more.",
}
DECISIONS = (
    "catalog",
    "conformance",
    "layers",
    "losses_and_metrics",
    "optimizers_and_callbacks",
    "samplers",
    "engine",
    "migrate",
)
PROJECT = {
    "support": "Versions of Python, Keras and the backends, and how public names change.",
    "contributing": "How to add a part, a task, a hyperparameter or a check.",
    "changelog": "What is new in each version.",
    "security": "What loading a model may do, and how to report a fault.",
    "measurements": "The engine, the layers and the optimizers beside other libraries.",
    "../decisions/index": "Why kcatalog is as it is, with dates, the newest first.",
}
_FILES = {
    "support": "docs/support.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
    "security": "SECURITY.md",
    "measurements": "benchmarks/RESULTS.md",
}
# File of the tree -> page of the site.
PLACES = {
    **{f"docs/{name}.md": f"guides/{name}.md" for name in GUIDES},
    **{f"docs/decisions/{name}.md": f"decisions/{name}.md" for name in DECISIONS},
    **{file: f"project/{name}.md" for name, file in _FILES.items()},
    "docs/decisions/README.md": "decisions/index.md",
    "docs/parts.md": "parts/index.md",
    **{f"docs/notebooks/{name}.md": f"notebooks/{name}.md" for name in NOTEBOOKS},
}
_LINK = re.compile(
    r"(\[[\w./-]+\.md\]|\])\(([^)\s]+)\)"
)  # a text that is a file, or the end of any
# Headings of the README: the front page ends where recipes begin, and the next page has the rest.
_START, _RECIPES, _END = "## Get started", "## Run a recipe", "## Where to go next"


def hand_written() -> dict[str, str | bytes]:
    """Return the pages and files of the site that stand in the tree: place -> content."""
    found = {}
    for file, place in PLACES.items():
        if file != "docs/parts.md" and not place.startswith("notebooks/"):
            found |= placed((ROOT / file).read_text(encoding="utf-8"), file, place)
    found |= libraries(found["guides/coming_from.md"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, more = readme.split(_RECIPES)
    about, first = first.split(_START)
    more = f"# From data to a served model\n\n{_RECIPES}{more.split(_END)[0]}"
    front = (Path(__file__).parent / "front.md").read_text(encoding="utf-8")
    found |= placed(f"{about}{front}\n{_START}{first}", "README.md", "index.md")
    found |= placed(more, "README.md", "start.md")
    found["decisions/index.md"] += contents(DECISIONS)
    found[f"{START}.md"] += contents(["/start"])
    found |= _section("Guides", GUIDES) | _section("Project", PROJECT)
    return found


def placed(text: str, file: str, place: str) -> dict[str, str | bytes]:
    """Return a page with its links as they are on the site, and the files that it shows.

    A link whose text is a file's path gets the title of the page instead.

    Args:
        text: the page.
        file: the file of the tree that it comes from.
        place: its place in the site.
    """
    files = {}

    def link(match):
        url = urlsplit(match[2])
        if url.scheme or not url.path:
            return match[0]
        target = ((ROOT / file).parent / url.path).resolve().relative_to(ROOT).as_posix()
        there, words = PLACES.get(target), match[1]
        if there is None:
            there = f"files/{target}"
            files[there] = (ROOT / target).read_bytes()
        elif words != "]":
            words = f"[{title((ROOT / target).read_text(encoding='utf-8'))}]"
        fragment = f"#{url.fragment}" if url.fragment else ""
        if target == "docs/parts.md" and url.fragment:  # a page for each kind
            there, fragment = f"parts/{url.fragment}/index.md", ""
        return f"{words}({os.path.relpath(there, Path(place).parent)}{fragment})"

    return {place: _LINK.sub(link, text), **files}


def libraries(text: str) -> dict[str, str]:
    """Return the page on other libraries, with a page of its own for each one's tables."""
    found, front = {}, text
    for key in table.names():
        library = table.load(key)
        begin, end = f"<!-- {key} -->\n", f"<!-- /{key} -->"
        block = text.partition(begin)[2].partition(end)[0]
        about, _, tables = block.partition("\n\n")
        link = f"[What replaces each name of {library.title}](coming_from/{key}.md)"
        front = front.replace(begin + block, f"{about}\n\n{link}\n")
        tables = tables.replace("### ", "## ")
        found[f"guides/coming_from/{key}.md"] = f"# {library.title}\n\n{about}\n\n{tables}"
    found["guides/coming_from.md"] = front + contents(f"coming_from/{k}" for k in table.names())
    return found


def title(text: str) -> str:
    """Return a page's first heading."""
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1]


def contents(names) -> str:
    """Return what puts pages into the sidebar."""
    lines = "\n".join(names)
    return f"\n```{{toctree}}\n:hidden:\n\n{lines}\n```\n"


def _section(name: str, about: dict[str, str]) -> dict[str, str]:
    """Return the page of a section: a link and a sentence for each of its pages."""
    files = {place: file for file, place in PLACES.items()}
    folder, lines = name.lower(), []
    for page, words in about.items():
        file = files[os.path.normpath(f"{folder}/{page}.md")]
        lines.append(f"- [{title((ROOT / file).read_text(encoding='utf-8'))}]({page}.md): {words}")
    inside = contents(page for page in about if f"{folder}/{page}" != START)
    return {f"{folder}/index.md": f"# {name}\n\n" + "\n".join(lines) + "\n" + inside}
