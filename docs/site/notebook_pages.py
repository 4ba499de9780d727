"""Pages of the notebooks, as `python -m docs.notebooks` left them."""

from __future__ import annotations

from pathlib import Path

from docs.site import pages

INTRODUCTION = """# Notebooks

Each runs in less than a minute on scikit-learn's data, and takes your own in its place. The outputs
come from running it when this site was built.
"""


def notebook_pages(folder: Path) -> dict[str, str | bytes]:
    """Return pages, pictures and notebooks: place -> content.

    Args:
        folder: where `python -m docs.notebooks` wrote them. A page that is not there is shown as it
            was written, without outputs.
    """
    found = {f"notebooks/{f.relative_to(folder).as_posix()}": f.read_bytes()
             for f in sorted(folder.rglob("*")) if f.suffix in (".png", ".ipynb")}  # fmt: skip
    lines = []
    for name, about in pages.NOTEBOOKS.items():
        place, run = f"notebooks/{name}.md", (folder / f"{name}.md").is_file()
        file = folder / f"{name}.md" if run else pages.ROOT / f"docs/{place}"
        text = found[place] = file.read_text(encoding="utf-8")
        missing = "" if run else " Not run for this build: `python -m docs.notebooks` runs it."
        lines.append(f"- [{pages.title(text)}]({name}.md): {about}{missing}")
    index = INTRODUCTION + "\n" + "\n".join(lines) + "\n" + pages.contents(pages.NOTEBOOKS)
    return {"notebooks/index.md": index, **found}
