"""Measured time and memory of a part, from the saved results of the benchmarks."""

from __future__ import annotations

import functools
import json

from docs.site.pages import ROOT
from kcatalog import registry

MEASURED = ROOT / "benchmarks" / "results" / "metric_learning.json"
CASES = {"TripletSemiHard": "semi-hard", "TripletHard": "batch-hard", "TripletAll": "batch-all"}
BATCH = 1024


@functools.cache
def _measured() -> dict:
    return json.loads(MEASURED.read_text(encoding="utf-8"))


def section(entry: registry.Entry) -> str:
    """Return the table of a part's cost beside other libraries, or an empty text."""
    case = CASES.get(entry.name) if entry.kind == "losses" else None
    if case is None:
        return ""
    rows = [
        r
        for r in _measured()["rows"]
        if (r["case"], r["samples"], r["batch"]) == (case, "few", BATCH)
    ]
    lines = ["| library | time | memory |", "|---|---|---|"]
    for r in rows:
        if r["contestant"] == "distances":
            continue
        cells = f"{r['failed']} | " if r["failed"] else ""
        cells = cells or f"{_milliseconds(r['seconds'])} ms | {r['peak_mib']:,.0f} MiB"
        lines.append(f"| {r['contestant']} | {cells} |")
    cores, date = _measured()["machine"]["cores"], _measured()["date"]
    head = f"A step at batch size {BATCH}, 8 samples a class, on {cores} cores, measured {date}. "
    return f"{head}[All sizes](../../guides/metric_learning.md).\n\n" + "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    return f"{float(f'{1e3 * seconds:.3g}'):,g}"
