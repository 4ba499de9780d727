"""Messages of `kcatalog migrate`: what was rewritten, what is left, and what differs."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from kcatalog.migrate.finding import Finding
from kcatalog.migrate.job import Outcome

SHOWN = 3  # places of a note that are listed


def report(outcomes: list[Outcome], written: bool, console: Console) -> None:
    """Print what became of the files, the open ends last but for one line."""
    notes: dict[tuple, list[str]] = collections.defaultdict(list)
    for o in outcomes:
        for f in o.findings:
            if f.kind == "note":
                notes[f.name, f.message].append(place(o, f, written))
    if notes:
        _print(console, "\n[bold]What to know[/]")
        for (name, message), places in sorted(notes.items()):
            more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            _print(console, f"  [bold]{escape(name)}[/]: {escape(message)}")
            _print(console, f"    [dim]{escape(', '.join(places[:SHOWN]))}{more}[/]")
    left = [(place(o, f, written), f) for o in outcomes for f in o.findings if f.kind == "left"]
    if left:
        _print(console, "\n[bold]Left for you[/]")
        for where, f in left:
            _print(console, f"  {escape(where)}: [yellow]{escape(f.name)}[/]: {escape(f.message)}")
    errors = [o for o in outcomes if o.error]
    if errors:
        _print(console, "\n[bold]Not migrated[/]")
        for o in errors:
            _print(console, f"  {escape(str(o.file))}: [red]{escape(o.error)}[/]")
    _print(console, "\n" + summary(outcomes, written))


def summary(outcomes: Iterable[Outcome], written: bool) -> str:
    """Return the counts in one line, and what to do next."""
    outcomes = list(outcomes)
    findings = [f for o in outcomes for f in o.findings]
    rewritten = sum(f.kind == "rewritten" for f in findings)
    left = sum(f.kind == "left" for f in findings)
    changed = sum(o.changed for o in outcomes)
    counts = f"{_count(rewritten, 'use')} rewritten, {left} left, in {_count(changed, 'file')}"
    errors = sum(bool(o.error) for o in outcomes)
    counts += f"; {_count(errors, 'file')} not migrated" if errors else ""
    if written or not changed:
        return f"{counts}."
    return f"{counts}. Nothing is written yet: see the change with --diff, make it with --write."


def place(outcome: Outcome, finding: Finding, written: bool) -> str:
    """Return where a finding stands, in the file as it is now on the disk."""
    line = finding.after if written else finding.line
    cell = f"cell {finding.cell}, line " if finding.cell else ""
    return f"{outcome.file}:{cell}{line}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + "s" * (n != 1)


def _print(console, text):
    console.print(text, highlight=False, soft_wrap=True)
