"""What the suite found out about a part: the records that `pytest --record` wrote."""

from __future__ import annotations

import ast
import functools
import json
from collections import defaultdict
from dataclasses import dataclass

from docs.site.pages import ROOT
from kcatalog import registry

RECORDS = ROOT / "build" / "checks"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
MARKS = {"passed": "✓", "exempted": "exempted", "skipped": "skipped", "failed": "FAILED"}


@dataclass(frozen=True)
class Record:
    """A whole run of the conformance suite on one backend.

    Attributes:
        backend: its name.
        date: the day of the run.
        versions: package -> version.
        results: part, such as `losses-TripletHard` -> check -> outcome, one of `MARKS`.
    """

    backend: str
    date: str
    versions: dict[str, str]
    results: dict[str, dict[str, str]]


@functools.cache
def records() -> tuple[Record, ...]:
    """Return the records of the last run on each backend, as far as there are any."""
    files = [RECORDS / f"{backend}.json" for backend in BACKENDS]
    return tuple(Record(**json.loads(f.read_text(encoding="utf-8"))) for f in files if f.is_file())


@functools.cache
def properties() -> dict[str, str]:
    """Return the property that each check proves, from its docstring."""
    found = {}
    for file in (ROOT / "kcatalog" / "conformance").glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            marks = node.decorator_list if isinstance(node, ast.FunctionDef) else []
            if any(ast.unparse(mark).startswith("check(") for mark in marks):
                words = (ast.get_docstring(node) or "").split("\n\n")[0]
                found[node.name] = " ".join(words.split())
    return found


def section(entry: registry.Entry) -> str:
    """Return the table of a part's checks: a row for each property, a column for each backend.

    The text is empty where no run is recorded.
    """
    part = f"{entry.kind}-{entry.name}"
    runs = [r for r in records() if part in r.results]
    if not runs:
        return ""
    outcomes = defaultdict(lambda: defaultdict(list))  # check -> backend -> its variants' outcomes
    for run in runs:
        for name, outcome in run.results[part].items():
            outcomes[name.split("-")[0]][run.backend].append(outcome)
    head = ["property", *(BACKENDS[r.backend] for r in runs)]
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, found in sorted(outcomes.items()):
        words = properties().get(name, name).replace("|", "\\|")
        cells = [_mark(found[r.backend]) for r in runs]
        rows.append(f"| {words} `{name}` | " + " | ".join(cells) + " |")
    when = "; ".join(
        f"{r.date} on {BACKENDS[r.backend]} {r.versions[r.backend]}, Keras {r.versions['keras']}"
        for r in runs
    )
    return f"Last full run: {when}. An empty cell: the check was not run there.\n\n" + (
        "\n".join(rows)
    )


def _mark(outcomes: list[str]) -> str:
    """Return the worst of a check's variants, and their number."""
    if not outcomes:
        return ""
    worst = next(o for o in reversed(MARKS) if o in outcomes)
    times = f" ×{len(outcomes)}" if len(outcomes) > 1 else ""
    return f"{MARKS[worst]}{times}"


def backends(entry: registry.Entry) -> list[str]:
    """Return the backends on which no check of a part failed; all where nothing is recorded."""
    failed = {
        r.backend
        for r in records()
        if "failed" in r.results.get(f"{entry.kind}-{entry.name}", {}).values()
    }
    return [b for b in BACKENDS if b not in failed]


def exports(entry: registry.Entry) -> dict[str, str]:
    """Return the forms that a part can be exported to: form -> "yes", or why not.

    LiteRT and ONNX are converted for recurrent layers alone; for others only a failure is known.
    """
    if entry.kind in ("callbacks", "samplers"):
        return {}
    forms = {".keras": "yes"}
    if entry.kind != "layers":
        return forms
    forms["SavedModel"] = "yes"
    for form, name in (("LiteRT", "litert_equal"), ("ONNX", "onnx_equal")):
        reason = entry.card.exemptions.get(name)
        if reason:
            forms[form] = f"no: {reason}"
        elif "recurrent" in entry.card.tags:
            forms[form] = "yes"
    return forms
