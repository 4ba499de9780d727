"""Run the notebooks of the site: `python -m docs.notebooks`.

Pages, pictures and notebooks come to build/site/notebooks. One is run anew if it, Keras or the
version of kcatalog changed.
"""

from __future__ import annotations

import hashlib
import time

import keras

import kcatalog
from docs.notebooks import notebook
from docs.site.build import NOTEBOOKS, write
from docs.site.pages import NOTEBOOKS as NAMES


def state(name: str) -> str:
    """Return what a notebook's page depends on, as a short text."""
    versions = f"{kcatalog.__version__} {keras.__version__} {keras.backend.backend()}".encode()
    files = (notebook.FOLDER / f"{name}.md", notebook.FOLDER / "notebook.py")
    return hashlib.sha256(versions + b"".join(f.read_bytes() for f in files)).hexdigest()


def main() -> None:
    """Run what is missing or out of date."""
    for name in NAMES:
        page, of = NOTEBOOKS / f"{name}.md", f"\n<!-- {state(name)} -->\n"
        if page.is_file() and page.read_text(encoding="utf-8").endswith(of):
            continue
        begin = time.monotonic()
        files = notebook.page(notebook.run(notebook.read(name)), name)
        write({**files, page.name: files[page.name] + of}, NOTEBOOKS)
        print(f"{name}: {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
