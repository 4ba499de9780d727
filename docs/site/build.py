"""Builds the site. The pages come to build/site/html.

The pages' Markdown is first written to build/site/source, from the tree's own files and from the
cards of the parts; then Sphinx makes HTML of it. Only what changed is written and read anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.site import checked, find_page, links, names, pages, part_pages, recipe_pages, twins
from docs.site.notebook_pages import notebook_pages
from docs.site.theory_pages import theory_pages

BUILT = pages.ROOT / "build" / "site"
PLOTS, THEORY, NOTEBOOKS = BUILT / "plots", BUILT / "theory", BUILT / "notebooks"


def sources() -> dict[str, str | bytes]:
    """Return all files that Sphinx reads: place -> content."""
    drawn = {f"plots/{p}": (PLOTS / p).read_bytes() for p in _files(PLOTS)}
    written = {
        **pages.hand_written(),
        **recipe_pages.recipe_pages(),
        **notebook_pages(NOTEBOOKS),
        **theory_pages(THEORY),
    }
    for place, text in written.items():
        if place.endswith(".md"):
            written[place] = names.linked(text, place)
    parts = part_pages.part_pages(plots=drawn)
    return {**written, **parts, **find_page.find_page(), **drawn}


def _files(folder: Path) -> list[str]:
    return [f.relative_to(folder).as_posix() for f in sorted(folder.rglob("*")) if f.is_file()]


def write(files: dict[str, str | bytes], folder: Path) -> None:
    """Write files into a folder; leave those alone that did not change."""
    for place, content in files.items():
        file = folder / place
        new = content.encode() if isinstance(content, str) else content
        if not file.is_file() or file.read_bytes() != new:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(new)


def sphinx(source: Path, html: Path, complete: bool = True) -> int:
    """Make HTML of Markdown, and return 0 unless there were warnings.

    Args:
        source: the folder of the Markdown.
        html: the folder of the pages.
        complete: False for a few pages alone, whose links may lead to pages that are not there.
    """
    settings = ["-c", str(Path(__file__).parent), "-d", str(html.parent / "read")]
    strict = ["-q", "-W", "--keep-going"] if complete else ["-Q"]
    return build_main([*strict, *settings, str(source), str(html)])


def main() -> int:
    """Build, and report broken links."""
    source, html = BUILT / "source", BUILT / "html"
    read = sources()
    write(read, source)
    for place in set(_files(source)) - set(read):  # of a part that is no more
        (source / place).unlink()
        (html / place).with_suffix(".html").unlink(missing_ok=True)
    failed = sphinx(source, html)
    if failed:
        return failed
    write(twins.twins(read), html)
    faults = links.faults(html)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not checked.records():
        print(
            "No test run is recorded, so the pages of parts do not say what was checked. "
            "Run `make test` before `make docs`.",
            file=sys.stderr,
        )
    if not faults:
        print(f"The site is complete: open {(html / 'index.html').relative_to(pages.ROOT)}")
    return int(bool(faults))
