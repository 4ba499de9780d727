"""Options of a source: arguments of its constructor that the command line may set."""

from __future__ import annotations

import dataclasses
import typing
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


def option(default: Any, help: str, **further: Any) -> Any:
    """Return a source's field that is an option, too: `further` are fields of `Option`."""
    return dataclasses.field(default=default, metadata={"help": help, **further})


@typing.dataclass_transform(field_specifiers=(option,))
def with_options(cls: type) -> type:
    """Make a class of sources a dataclass, whose `options` are its fields made by `option`."""
    cls, types = dataclass(eq=False)(cls), typing.get_type_hints(cls)
    options = [f for f in dataclasses.fields(cls) if f.metadata]
    cls.options = {f.name: Option(types[f.name], **f.metadata) for f in options}
    return cls
