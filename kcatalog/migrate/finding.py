"""Reports on one file: uses that were rewritten, left or worth a note."""

from __future__ import annotations

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Finding:
    """One use of a library's name, or something else that a user should know.

    Attributes:
        line: where it stands in the source.
        after: where it stands in the migrated source.
        cell: the number of a notebook's cell, from 1, in which the lines count; None elsewhere.
        kind: "rewritten", "left" (marked, and open until someone changes it) or "note".
        name: the old name.
        message: what became of it, why it was left, or the note.
    """

    line: int
    kind: str
    name: str
    message: str
    after: int = 0
    cell: int | None = None


@dataclasses.dataclass(frozen=True)
class Result:
    """A migrated source.

    Attributes:
        code: the source, which is as it was where nothing changed.
        findings: what was found, in the order of the source.
        needs: full paths of the project's own names that stand for a library's, and stay in use.
    """

    code: str
    findings: tuple[Finding, ...] = ()
    needs: frozenset[str] = frozenset()

    def of(self, kind: str) -> list[Finding]:
        """Return the findings of one kind."""
        return [f for f in self.findings if f.kind == kind]


class Left(Exception):  # noqa: N818
    """A use that cannot be rewritten safely. The message says why and what to do."""


def sentence(*parts: str) -> str:
    """Join a reason and what to do."""
    first, *rest = (p.rstrip(".") for p in parts if p)
    return "; ".join(
        [first, *(re.sub(r"^[A-Z](?=[a-z]* )", lambda m: m[0].lower(), p) for p in rest)]
    )
