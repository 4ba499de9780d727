"""Writes the generated parts of README.md and of docs: `python docs/build_readme.py [--check]`.

What stands between `<!-- parts -->` and `<!-- /parts -->` is rendered from the catalog, so that
the table cannot say anything that the parts do not; what stands between the marks of the other
`BLOCKS` is rendered from the last whole run of `benchmarks/metric_learning.py`.
"""

import json
import re
import sys
from pathlib import Path

from kcatalog import registry

ROOT = Path(__file__).parent.parent
FILES = (ROOT / "README.md", ROOT / "docs" / "metric_learning.md")
MEASURED = ROOT / "benchmarks" / "results" / "metric_learning.json"


def parts_table() -> str:
    """Every part of kcatalog as a Markdown table, by kind."""
    rows = ["| part | what it does | source |", "|---|---|---|"]
    for e in registry.find(origin="kcatalog"):
        paper = e.card.paper
        source = f"[{paper.authors.split(',')[0]} {paper.year}]({paper.link})"
        rows.append(f"| `{e.path.removeprefix('kcatalog.')}` | {e.summary} | {source} |")
    names = [f"`{e.path.removeprefix('keras.')}`" for e in registry.find(origin="keras")]
    beside = "Listed beside them, and tunable the same way, Keras's own: "
    return "\n".join(rows) + f"\n\n{beside}{', '.join(names)}."


# --- what was measured ------------------------------------------------------------------


def peers_in_short(batches=(1024, 8192)) -> str:
    """Ours beside the peers at two sizes: ours in units, the peers as multiples of it."""
    result = measured()
    if not result:
        return NOT_MEASURED
    names = [n for n in result["versions"] if n not in ("distances", "kcatalog, no XLA")]

    def cell(row):
        if row["failed"] or row["contestant"] == "kcatalog":
            return in_units(row)
        return f"{multiple(row['time_to_ours'])} time, {multiple(row['memory_to_ours'])} memory"

    return by_contestant([r for r in result["rows"] if r["batch"] in batches], names, cell)


def peers_in_full() -> str:
    """Conditions, every measurement, and the slopes."""
    result = measured()
    if not result:
        return NOT_MEASURED
    names, machine, settings = list(result["versions"]), result["machine"], result["settings"]
    conditions = (
        f"Measured {result['date']} on {machine['cores']} cores ({machine['cpu']}, "
        f"{machine['memory_gib']:.0f} GiB), {settings['rounds']} rounds. A contestant fails "
        f"after {settings['timeout_s']} s or with {settings['memory_gib']} GiB."
    )
    versions = [
        f"- {name}: {', '.join(f'{package} {v}' for package, v in versions.items())}"
        for name, versions in result["versions"].items()
    ]
    slopes = [{**s, "batch": "slope", "failed": None} for s in result["slopes"]]
    parts = [
        conditions,
        "\n".join(versions),
        "Time of a step and peak memory:",
        by_contestant(result["rows"], names, in_units),
        "Slope of log(time) over log(batch), over the last three sizes each got through:",
        by_contestant(slopes, names, lambda s: f"{s['slope']:.1f}"),
    ]
    return "\n\n".join(parts)


NOT_MEASURED = "Not measured yet: `make bench`."
SAMPLES = {"few": "8 a class", "many": "10 classes"}


def measured() -> dict | None:
    """The saved run."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else None


def by_contestant(rows, names, cell) -> str:
    """A Markdown table: a line for each loss, number of samples and batch, a column for a name."""
    lines = {}
    for r in rows:
        key = r["case"], SAMPLES[r["samples"]], str(r["batch"])
        lines.setdefault(key, {})[r["contestant"]] = cell(r)
    head = ["loss", "samples", "batch", *names]
    body = [[*key, *(cells.get(n, "–") for n in names)] for key, cells in sorted_by_case(lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *body])


def sorted_by_case(lines):
    """Lines of one case and one number of samples together, otherwise in the order measured."""
    first = list(dict.fromkeys(key[:2] for key in lines))
    cases = list(dict.fromkeys(case for case, _ in first))
    return sorted(lines.items(), key=lambda e: (cases.index(e[0][0]), first.index(e[0][:2])))


def in_units(row) -> str:
    """Milliseconds or seconds, MiB or GiB, or why there are none."""
    if row["failed"]:
        return row["failed"]
    s, mib = row["seconds"], row["peak_mib"]
    time = f"{s:.1f} s" if s >= 1 else f"{1e3 * s:.3g} ms"
    return f"{time}, {f'{mib / 1024:.1f} GiB' if mib >= 1024 else f'{mib:.0f} MiB'}"


def multiple(ratio) -> str:
    """`12 ×`, with two digits where it matters."""
    if ratio is None:
        return "–"
    return f"{ratio:.1f} ×" if ratio < 10 else f"{ratio:,.0f} ×"


# --- files ------------------------------------------------------------------------------

BLOCKS = {
    "parts": parts_table,
    "peers-in-short": peers_in_short,
    "peers-in-full": peers_in_full,
}


def render(text: str) -> str:
    """The text with its generated parts made anew."""
    for name, block in BLOCKS.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin in text:
            new = f"{begin}\n{block()}\n{end}"
            text = re.sub(f"{begin}.*{end}", lambda _, new=new: new, text, flags=re.DOTALL)
    return text


def main() -> int:
    """Write the files, or with --check say whether they are up to date."""
    stale = 0
    for path in FILES:
        before = path.read_text(encoding="utf-8")
        after = render(before)
        if before == after:
            continue
        if "--check" in sys.argv:
            print(f"{path.name} is out of date. Run `make readme`.", file=sys.stderr)
            stale = 1
        else:
            path.write_text(after, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
