"""Notebooks that are written as Markdown: how one is read, run and shown as a page."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import jupytext
import nbclient
import nbformat

import kcatalog

FOLDER = Path(__file__).parent
TIMEOUT = 600  # seconds for a cell, on a busy machine
PICTURE = "image/png"


def read(name: str) -> nbformat.NotebookNode:
    """Return a notebook without outputs."""
    notebook = jupytext.read(FOLDER / f"{name}.md")
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # else each build would write another file
    return notebook


def run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run the cells in a new process, and return the notebook with their outputs."""
    client = nbclient.NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3")
    client.execute(env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    return notebook


def page(notebook: nbformat.NotebookNode, name: str) -> dict[str, str | bytes]:
    """Return the page of a notebook that was run, its pictures, and the notebook to download.

    Args:
        notebook: the notebook with its outputs.
        name: its name.
    """
    blocks, files = [], {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks.append(cell.source)
        else:
            blocks.append(f"```python\n{cell.source}\n```")
            if printed(cell):
                blocks.append(f"```text\n{printed(cell)}```")
            for output in cell.outputs:
                if PICTURE in output.get("data", {}):
                    place = f"{name}/{len(files) + 1}.png"
                    files[place] = base64.b64decode(output.data[PICTURE])
                    blocks.append(f"![{cell.metadata['alt']}]({place})")
    title, *rest = blocks[0].partition("\n")
    blocks[0] = f"{title}\n\n{buttons(name)}{''.join(rest)}"
    files[f"{name}.ipynb"] = nbformat.writes(read(name))
    return {f"{name}.md": "\n\n".join(blocks) + "\n", **files}


def printed(cell: nbformat.NotebookNode) -> str:
    """Return what a cell that was run has printed, without warnings and logs."""
    return "".join(o.text for o in cell.outputs if o.get("name") == "stdout")


def buttons(name: str) -> str:
    """Return the line of links at the top of a page.

    Colab opens notebooks of a repository on GitHub. Its name is known where GitHub builds the site
    (`GITHUB_REPOSITORY`), which it publishes on the branch `gh-pages` in a folder for each version.
    """
    repository = os.environ.get("GITHUB_REPOSITORY")
    if repository is None:
        return (
            f"[Download the notebook]({name}.ipynb), then open it in Jupyter or upload it to Colab."
        )
    place = f"{repository}/blob/gh-pages/{kcatalog.__version__}/notebooks/{name}.ipynb"
    return (
        f"[Open in Colab](https://colab.research.google.com/github/{place}), or "
        f"[download the notebook]({name}.ipynb)."
    )
