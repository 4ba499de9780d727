"""Entry of the catalog: all that is known of a part from the text of its source."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from kcatalog import card, docstrings, source
from kcatalog.card import Card
from kcatalog.source import Argument

_PARAGRAPH = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Entry:
    """All that is known of a part without importing it."""

    name: str
    kind: str
    path: str
    origin: str
    summary: str
    about: str
    sections: dict[str, str]
    arguments: tuple[Argument, ...]
    card: Card = field(default_factory=Card)
    file: str = ""

    @property
    def equation(self) -> str:
        """The idea in one line: the card's, or the first formula under Maths."""
        return self.card.equation or docstrings.first_formula(self.sections.get("Maths", ""))

    def load(self) -> type:
        """Import the class."""
        module, name = self.path.rsplit(".", 1)
        found = getattr(importlib.import_module(module), name, None)
        if found is None:
            place = module.replace(".", "/")
            raise LookupError(
                f"{name} is not exported: import it in {place}/__init__.py and add it to __all__."
            )
        return found

    def example_code(self) -> str:
        """Lines to paste: import and construct the card's example."""
        root = self.path.split(".")[0]
        call = f"{self.path}({card.render_args(self.card.example.args)})"
        names = {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)}
        imports = sorted({root, *names.difference(dir(builtins))})
        return "".join(f"import {m}\n" for m in reversed(imports)) + f"\npart = {call}"


def read_source(
    text: str,
    kind: str | None,
    file: Path,
    name: str | None = None,
    docstring: str | None = None,
    public: str | None = None,
) -> list[Entry]:
    """Entries of the `@component` classes in a source text, or of the one class `name`.

    The card of a class asked for by name is left out: whoever asks has the class itself.

    Args:
        text: the source.
        kind: of all its parts, or None: each is read from the bases of the class.
        file: where the text comes from.
        name: the class.
        docstring: the class's docstring, if not the one in the text.
        public: the module that parts are imported from; by default kcatalog's of that kind.
    """
    if name is None and "@component(" not in text:
        return []
    try:
        module, entries = ast.parse(text), []
    except SyntaxError as e:
        raise source.SourceError(f"{file}, line {e.lineno}: {e.msg}") from e
    for node in module.body:
        if isinstance(node, ast.ClassDef) and name in (None, node.name):
            facts = None if name else source.read_card(node, file)
            if facts is not None or name is not None:
                of_kind = kind or source.kind(node, file)
                path = f"{public or f'kcatalog.{_public_module(of_kind)}'}.{node.name}"
                facts = facts or Card()
                entries.append(_entry(node, module, of_kind, path, facts, str(file), docstring))
    return entries


def of_keras(path: str, facts: Card) -> Entry:
    """Return the entry of one of Keras's own parts, whose card is given."""
    node, module = source.keras_class(path)
    return _entry(node, module, path.split(".")[-2], path, facts)


def _entry(node, module, kind: str, path: str, facts: Card, file="", docstring=None) -> Entry:
    sections = docstrings.sections(docstring or source.docstring(node, module))
    meanings = docstrings.argument_meanings(sections.get("Args", ""))
    summary, *about = _PARAGRAPH.split(sections.pop("", ""))
    return Entry(
        name=node.name,
        kind=kind,
        path=path,
        origin=path.split(".")[0],
        summary=" ".join(summary.split()),
        about="\n\n".join(" ".join(paragraph.split()) for paragraph in about),
        sections=sections,
        arguments=source.arguments(node, module, meanings),
        card=facts,
        file=file,
    )


def _public_module(kind: str) -> str:
    return "optimizers.schedules" if kind == "schedules" else kind
