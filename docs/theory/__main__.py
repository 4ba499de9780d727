"""Run the experiments of the theory pages: `python -m docs.theory`.

Pages and figures come to build/site/theory. A chapter is run anew if it or Keras changed.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from pathlib import Path

import keras

from docs.site.build import THEORY, write
from docs.theory import statement
from docs.theory.chapters import CHAPTERS


def state(chapter) -> str:
    """Return what a chapter's page depends on, as a short text."""
    text = f"{keras.__version__} {keras.backend.backend()}".encode()
    files = b"".join(Path(f).read_bytes() for f in (chapter.__file__, statement.__file__))
    return hashlib.sha256(text + files).hexdigest()


def main() -> None:
    """Run what is missing or out of date."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it advises against many small models
    for name in CHAPTERS:
        chapter = importlib.import_module(f"docs.theory.{name}")
        page, of = THEORY / f"{name}.md", f"\n<!-- {state(chapter)} -->\n"
        if not (page.is_file() and page.read_text(encoding="utf-8").endswith(of)):
            files = statement.page(chapter, name)
            write({**files, page.name: files[page.name] + of}, THEORY)


if __name__ == "__main__":
    main()
