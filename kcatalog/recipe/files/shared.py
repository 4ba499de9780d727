"""One file system that many hosts see: where one of them works, the others look."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError

MARK = ".hosts"  # a file by which hosts see that they look at one directory
PATIENCE = 10.0  # seconds until a file written by another host must be seen


def mark(folder: Path) -> str:
    """Leave a mark in a directory. Returns what others need to find it."""
    text = uuid.uuid4().hex
    with disk.atomic_write(folder / MARK) as file:
        file.write_text(text, encoding="utf-8")
    return f"{text} {folder.resolve()}"


def find(message: str, who: str) -> Path:
    """Find the directory in which `who` left a mark."""
    text, path = message.split(" ", 1)
    file = Path(path) / MARK
    if not seen(lambda: file.exists() and file.read_text(encoding="utf-8") == text):
        raise RecipeError(
            f"{who} works in {path}, and this host does not see its files there. Many hosts "
            "need one file system that all of them see under the same path."
        )
    return Path(path)


def seen(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds, as network file systems lag; return whether it does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
