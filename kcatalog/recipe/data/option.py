"""Options of a source: arguments of its constructor that the command line may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Option:
    """An argument of a source's constructor that is an option of the command line, too.

    type: the value's type, as Typer takes it: int, float, str or Literal["a", "b"].
    help: one line for `--help`.
    min, max: bounds of a number.
    metavar: what `--help` calls the value.
    files: for an option that says how files are read: the name of the input that they become.
    """

    type: Any
    help: str
    min: float | None = None
    max: float | None = None
    metavar: str | None = None
    files: str = ""

    @property
    def typer(self) -> dict[str, Any]:
        """Return further arguments of `typer.Option`."""
        names = ("min", "max", "metavar")
        return {n: value for n in names if (value := getattr(self, n)) is not None}
