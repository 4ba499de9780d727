"""Text files: decoded from UTF-8, or refused with the command that converts them."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

from kcatalog.recipe.terminal.errors import RecipeError

MARKS = {  # the longer ones first
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
SAMPLE = 4096  # bytes from which a file without a mark is recognized
BINARY = {  # the first bytes of files that are often taken for text
    b"%PDF": "a PDF file",
    b"PK\x03\x04": "a ZIP archive, such as an Excel or Word file",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"{\\rtf": "an RTF file",
}


def read_text(file: Path) -> str:
    """Read a text file's characters, without a byte-order mark. Line ends stay as they are."""
    try:
        raw = file.read_bytes()
    except OSError as e:
        raise RecipeError(f"{file} cannot be read: {e.strerror}.") from e
    for start, what in BINARY.items():
        if raw.startswith(start):
            raise RecipeError(f"{file} must be plain text. Received: {what}. Save it as text.")
    if encoding := _wide(raw):
        raise RecipeError(
            f"{file} must be text in UTF-8. Received: {encoding}. {_convert(file, encoding)}"
        )
    if b"\0" in raw:
        raise RecipeError(
            f"{file} must be plain text. Received: a byte 0x00 at position {raw.index(0)}, as "
            "binary files have. Save it as text."
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
    if not any(0x80 <= byte < 0xA0 for byte in raw):  # no characters in Latin-1
        return f"If it is in Latin-1: {_convert(file, 'latin1')}"
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "Convert it with iconv, which lists the encodings it knows with: iconv -l"
    return f"If it is in Windows-1252: {_convert(file, 'WINDOWS-1252')}"


def _wide(raw: bytes) -> str | None:
    """Return the encoding of text in UTF-16 or 32: it has a mark, or most other bytes are 0."""
    for mark, name in MARKS.items():
        if raw.startswith(mark):
            return name
    for name, zeros, others in (
        ("UTF-16LE", raw[1:SAMPLE:2], raw[:SAMPLE:2]),
        ("UTF-16BE", raw[:SAMPLE:2], raw[1:SAMPLE:2]),
    ):
        if len(zeros) and zeros.count(0) > 0.5 * len(zeros) and not others.count(0):
            return name
    return None


def _convert(file: Path, encoding: str) -> str:
    """Advise a command that can be pasted."""
    written = file.with_name(f"{file.stem}.utf8{file.suffix}")
    source, target = (shlex.quote(str(path)) for path in (file, written))
    return f"Convert it with: iconv -f {encoding} -t UTF-8 {source} > {target}"
