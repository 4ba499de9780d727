"""Measured time and memory of a part, from the saved results of the benchmarks."""

from __future__ import annotations

import functools
import json

from docs.site.pages import ROOT
from kcatalog import registry

RESULTS = ROOT / "benchmarks" / "results"
CASES = {"TripletSemiHard": "semi-hard", "TripletHard": "batch-hard", "TripletAll": "batch-all"}
BATCH = 1024
SIZE, WEIGHTS = "10", "10 weights of 316×316"


@functools.cache
def _measured(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def section(entry: registry.Entry) -> str:
    """Return the table of what a part costs, or an empty text."""
    if entry.kind == "losses" and entry.name in CASES:
        return _loss(CASES[entry.name])
    return _optimizer(entry.name) if entry.kind == "optimizers" else ""


def _loss(case: str) -> str:
    """Return what a loss of metric learning costs beside other libraries'."""
    measured = _measured("metric_learning")
    rows = [
        r for r in measured["rows"] if (r["case"], r["samples"], r["batch"]) == (case, "few", BATCH)
    ]
    lines = ["| library | time | memory |", "|---|---|---|"]
    for r in rows:
        if r["contestant"] == "distances":
            continue
        cells = f"{r['failed']} | " if r["failed"] else ""
        cells = cells or f"{_milliseconds(r['seconds'])} ms | {r['peak_mib']:,.0f} MiB"
        lines.append(f"| {r['contestant']} | {cells} |")
    cores, date = measured["machine"]["cores"], measured["date"]
    head = f"A step at batch size {BATCH}, 8 samples a class, on {cores} cores, measured {date}. "
    return f"{head}[All sizes](../../guides/metric_learning.md).\n\n" + "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    return f"{float(f'{1e3 * seconds:.3g}'):,g}"


def _optimizer(name: str) -> str:
    """Return what a step of an optimizer or a wrapper costs beside one of Keras's Adam."""
    lines, wrapper = [], False
    for file in sorted(RESULTS.glob("optimizers_*.json")):
        measured = _measured(file.stem)
        row = measured["sizes"][SIZE]["rows"].get(name)
        if row:
            wrapper = row["wrapper"]
            cells = (measured["backend"], f"{row['ms']:.3g} ms", f"{row['processor']:.2f}")
            lines.append(f"| {' | '.join(cells)} | {row['state']:.3g} |")
    if not lines:
        return ""
    what = "A step of Adam in this wrapper" if wrapper else "A step"
    state = "the wrapper's state without Adam's" if wrapper else "state"
    head = (
        f"{what} with given gradients of {WEIGHTS}: time, processor time as a ratio to that of "
        f"Keras's Adam, and {state}. `python benchmarks/optimizers.py` measures it."
    )
    columns = ["| backend | time | ratio | bytes a weight |", "|---|---|---|---|"]
    return f"{head}\n\n" + "\n".join([*columns, *lines])
