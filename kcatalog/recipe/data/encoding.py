"""Text files: decoded from UTF-8, or refused with the command that converts them."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

from kcatalog.recipe.terminal.errors import RecipeError


def read_text(file: Path) -> str:
    """Read a text file's characters, without a byte-order mark. Line ends stay as they are."""
    try:
        raw = file.read_bytes()
    except OSError as e:
        raise RecipeError(f"{file} cannot be read: {e.strerror}.") from e
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RecipeError(
            f"{file} must be text in UTF-8. Received: UTF-16. {_convert(file, 'UTF-16')}"
        )
    if raw.startswith(b"%PDF") or b"\0" in raw:
        raise RecipeError(
            f"{file} must be plain text. Received: other bytes than those of text, as PDF, Excel "
            "and Word files have. Save it as text."
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise RecipeError(
            f"{file} must be text in UTF-8. Received: byte {raw[e.start]:#04x} at position "
            f"{e.start}. {_guess(file, raw)}"
        ) from e


def _guess(file: Path, raw: bytes) -> str:
    """Advise how to convert text in an encoding of one byte, or in one that cannot be told."""
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "Convert it with iconv, which lists the encodings it knows with: iconv -l"
    return f"If it is in Windows-1252 or Latin-1: {_convert(file, 'WINDOWS-1252')}"


def _convert(file: Path, encoding: str) -> str:
    """Advise a command that can be pasted."""
    written = file.with_name(f"{file.stem}.utf8{file.suffix}")
    source, target = (shlex.quote(str(path)) for path in (file, written))
    return f"Convert it with: iconv -f {encoding} -t UTF-8 {source} > {target}"
