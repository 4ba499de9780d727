"""Rows of the tables: what replaces a public name of another library."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(r"\{(\w*)\}")  # an old argument in a text of a table


@dataclasses.dataclass(frozen=True)
class Signature:
    """The parameters of an old class or function.

    Attributes:
        defaults: parameter -> source of its default, None where it is required.
        extra: the signature ends in `**kwargs`.
    """

    defaults: Mapping[str, str | None]
    extra: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters in order."""
        return tuple(self.defaults)

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read parameters as a `def` states them."""
        a = ast.parse(f"def f({text}): pass").body[0].args
        if a.vararg or a.posonlyargs:
            raise ValueError("write each parameter by its name; only **kwargs may stand for others")
        positional = [None] * (len(a.args) - len(a.defaults)) + a.defaults
        both = [
            *zip(a.args, positional, strict=True),
            *zip(a.kwonlyargs, a.kw_defaults, strict=True),
        ]
        return cls({p.arg: d and ast.unparse(d) for p, d in both}, a.kwarg is not None)


@dataclasses.dataclass(frozen=True)
class Row:
    """Replacement of one public name of a library. `table` explains the fields."""

    name: str
    to: str | None = None
    reason: str = ""
    hint: str = ""
    signature: Signature | None = None
    positional: int = 0
    state: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    leave: Mapping[str, str] = dataclasses.field(default_factory=dict)
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = dataclasses.field(default_factory=dict)
    compute: Mapping[str, str] = dataclasses.field(default_factory=dict)
    add: Mapping[str, str] = dataclasses.field(default_factory=dict)
    into: str | None = None
    expression: str | None = None
    reference: str | None = None
    subclass: bool = False
    gone: Mapping[str, str] = dataclasses.field(default_factory=dict)
    otherwise: Row | None = None
    delete: bool = False
    differs: str = ""
    also: str = ""
    todo: str = ""
    test: str | None = None
    examples: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module of the library that holds the name; empty for the package itself."""
        return self.name.rpartition(".")[0]

    @property
    def plain(self) -> bool:
        """Calls change nothing but the name."""
        changes = (self.state, self.values, self.numbers, self.leave, self.drop, self.rename)
        more = (self.compute, self.add, self.into, self.expression, self.otherwise)
        return bool(self.to) and not self.hint and not any((*changes, *more))


@dataclasses.dataclass(frozen=True)
class Library:
    """A library whose users migrate, and its rows by name."""

    key: str
    title: str
    version: str
    distribution: str
    package: str
    rewrite: bool
    rows: Mapping[str, Row]

    def find(self, path: str) -> Row | None:
        """Return the row of a path below the package, also of one through private modules.

        Those stand between a public module and the name, or around the module: `utils.types.X`.
        """
        if path in self.rows or path.count(".") < 2:
            return self.rows.get(path)
        first, *_, module, last = path.split(".")
        return self.rows.get(f"{first}.{last}") or self.rows.get(f"{module}.{last}")
