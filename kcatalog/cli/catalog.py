"""`kcatalog list` and `kcatalog show`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from kcatalog import card, registry
from kcatalog.cli.terminal import app, console, known
from kcatalog.migrate import table

OF_KERAS = "parts of Keras that the tuner knows"


@app.command("list")
def list_parts(
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help=f"Only one of {', '.join(registry.SHELVES)}."),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="Only parts with this tag, such as masking or in-batch."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Only parts with these words in name, summary, formula, paper or old names.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """List the parts of the catalog, and those of Keras."""
    singular = {k.removesuffix("es" if k == "losses" else "s"): k for k in registry.SHELVES}
    kind = singular.get(kind, kind)
    known("kind", kind, registry.SHELVES)
    known("tag", tag, card.TAGS)
    entries = registry.find(kind, tag, text)
    if as_json:
        print(json.dumps([facts(e) for e in entries], indent=2, ensure_ascii=False))
        return
    for title in registry.SHELVES:
        rows = [e for e in entries if e.kind == title]
        if rows:
            console.print(f"\n[bold]{title}[/]")
            table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
            for e in rows:
                mark = {"kcatalog": "", "keras": "Keras: "}.get(e.origin, f"{e.origin}: ")
                table.add_row(f"  {e.name}", f"[dim]{mark}[/]{escape(e.summary)}")
            console.print(table, highlight=False)
    found = Counter(e.origin for e in entries)
    counts = [
        f"{found[origin]} of the {n} {OF_KERAS if origin == 'keras' else f'parts in {origin}'}"
        for origin, n in Counter(e.origin for e in registry.catalog()).items()
    ]
    hint = "" if entries else " Leave out a filter to see more."
    meaning = f" {tag}: {card.TAGS[tag]}." if tag else ""
    console.print(f"\n{', '.join(counts)}.{hint}{meaning}", style="dim")


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Part, such as TripletHard or losses.TripletHard."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
):
    """Show a part: use, arguments, formula, paper, example."""
    try:
        e = registry.describe(name)
    except LookupError as error:
        raise (_of_another_library(name) or error) from None
    if as_json:
        print(json.dumps(facts(e), indent=2, ensure_ascii=False))
        return
    say = lambda text="", **style: console.print(escape(text), highlight=False, **style)  # noqa: E731
    say(e.path, style="bold")
    say(e.summary)
    if e.about and e.origin == "kcatalog":
        say(f"\n{e.about}")
    if e.equation:
        say(f"\n  {e.equation}")
    if e.card.paper:
        say(f"\nPaper: {e.card.paper}")
    if e.card.tags:
        say("Tags: " + ", ".join(f"{t} ({card.TAGS[t]})" for t in e.card.tags))
    if e.card.better:
        say(f"Better: {e.card.better}")
    if e.arguments:
        say("\nArguments", style="bold")
    for a in e.arguments:
        default = "required" if a.required else f"= {a.default!r}"
        console.print(f"  [bold]{a.name}[/] {escape(default)}", highlight=False)
        stated = not a.rule or a.rule.split(" in ")[-1] in a.meaning
        rule = "" if stated else f" ({a.rule})"
        console.print(Padding(escape(a.meaning + rule), (0, 0, 0, 6)), highlight=False)
    for title in ("Maths", "Shapes", "Behaviour"):
        if title in e.sections:
            say(f"\n{title}", style="bold")
            console.print(Padding(escape(_unwrapped(e.sections[title])), (0, 0, 0, 2)))
    if e.card.space:
        say("\nSearch space", style="bold")
        for argument, space in e.card.space.items():
            say(f"  {argument}: {space}")
    say("\nExample", style="bold")
    say(e.example_code())


def _of_another_library(name: str) -> LookupError | None:
    """Return an error that says what replaces another library's name, or None."""
    for library in map(table.load, sorted(table.names(), key="tensorflow_addons".__ne__)):
        for row in library.rows.values():
            if row.to and name.lower() in (row.name.lower(), row.name.rpartition(".")[2].lower()):
                return LookupError(
                    f"There is no part called {name!r}. "
                    f"For {row.name} of {library.title} use {row.to}."
                )
    return None


def _unwrapped(text: str) -> str:
    """Join the lines of a section that belong together."""
    return re.sub(r"(?<![.:;])\n(?=[^\s`])", " ", text)


def facts(e: registry.Entry) -> dict:
    """Return an entry as JSON-ready data."""
    return {
        "name": e.name,
        "kind": e.kind,
        "path": e.path,
        "origin": e.origin,
        "summary": e.summary,
        "equation": e.equation,
        "paper": dataclasses.asdict(e.card.paper) if e.card.paper else None,
        "tags": list(e.card.tags),
        "better": str(e.card.better) if e.card.better else None,
        "arguments": [dataclasses.asdict(a) for a in e.arguments],
        "shapes": e.sections.get("Shapes", ""),
        "search_space": {k: str(v) for k, v in e.card.space.items()},
        "example": e.example_code(),
    }
