"""One file to migrate, what is asked for, and what became of it."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import io
import re
import tokenize
from collections.abc import Mapping
from pathlib import Path

from kcatalog.migrate import table
from kcatalog.migrate.finding import Finding
from kcatalog.migrate.program import MARK
from kcatalog.migrate.row import Library


@dataclasses.dataclass(frozen=True)
class Options:
    """Libraries and forms that are asked for.

    Attributes:
        libraries: keys of the tables.
        keras3: replace `tf.keras`, too.
    """

    libraries: tuple[str, ...]
    keras3: bool = False

    def tables(self) -> list[Library]:
        """Return the libraries."""
        return [table.load(key) for key in self.libraries]

    def concern(self, data: bytes) -> bool:
        """Return whether a file may have something to migrate; found without parsing it."""
        return any(word in data for word in _words(self))


@functools.cache
def _words(options: Options) -> tuple[bytes, ...]:
    words = {w for t in options.tables() for w in (t.package, t.distribution)}
    words |= {"tensorflow", "keras"} if options.keras3 else set()
    words.add(MARK)
    return tuple(w.encode() for w in sorted(words))


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to migrate.

    Attributes:
        file: the file.
        module: its dotted path from the folder that was asked for.
        exports: module -> name -> path in a library, of what other files pass on.
        kept: names that other files import from this one.
    """

    file: Path
    module: str
    exports: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    kept: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Result of one file.

    Attributes:
        file: the file.
        old: its content.
        new: its content after migration; the same object if nothing changed.
        findings: what was found in it.
        needs: full paths of the project's names that it still imports.
        error: why it could not be migrated.
    """

    file: Path
    old: bytes = b""
    new: bytes = b""
    findings: tuple[Finding, ...] = ()
    needs: frozenset[str] = frozenset()
    error: str = ""

    @property
    def changed(self) -> bool:
        """The file would be, or was, written."""
        return self.old != self.new

    @property
    def open(self) -> bool:
        """Something is left for the user."""
        return bool(self.error) or any(f.kind == "left" for f in self.findings)

    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = (_lines(decoded(data)[0]) for data in (self.old, self.new))
        name = self.file.as_posix()
        parts = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
        return "".join(
            p if p.endswith("\n") else f"{p}\n\\ No newline at end of file\n" for p in parts
        )


def read(file: Path) -> bytes:
    """Return a file's content; nothing if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def decoded(data: bytes) -> tuple[str, str]:
    """Return a file's text, with its line ends, and its encoding."""
    encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    return data.decode(encoding), encoding


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
