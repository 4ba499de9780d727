"""Write the generated blocks of README.md and docs: `python docs/build_readme.py [--check]`.

A block stands between `<!-- name -->` and `<!-- /name -->`. `parts` and `counts` come from the
catalog, the others from the last run of a benchmark: `scores` of `benchmarks/recipe_scores.py`,
`transfer` of `benchmarks/transfer.py` and `peers-in-full` of `benchmarks/metric_learning.py`.
"""

import json
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from kcatalog import registry

ROOT = Path(__file__).parent.parent
PAGES = ("parts", "metric_learning", "transfer_learning")
FILES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in PAGES))
SCORES = ROOT / "benchmarks" / "results" / "recipe_scores.json"
TRANSFER = SCORES.with_name("transfer.json")
# Reasons to use a recipe although its score is not clearly better than its baseline's.
WORTH = {
    "speech_lstm": "A tie on 370 short utterances; the LSTM also takes recordings of any length.",
    "text_gru": "The GRU also writes text, one character at a time, without reading it again.",
    "text_classifier": "Behind on 3,950 short texts; it reads unknown words by their spelling.",
    "forecast_gru": "The GRU also gives prediction intervals.",
    "margin_mlp": "A tie with two seeds of three; over half of the weights can be left out.",
    "tabular_mlp --data breast_cancer": "A tie with one seed of three.",
}
EXAMPLES = (
    "layers.LayerNormLSTM",
    "losses.TripletSemiHard",
    "losses.FocalTversky",
    "metrics.RecallAtK",
    "optimizers.Lookahead",
    "regularizers.SoftOrthogonality",
)
MEASURED = ROOT / "benchmarks" / "results" / "metric_learning.json"


def parts_table() -> str:
    """Return every part as Markdown tables, one for each kind, and for each family of layers."""
    blocks = []
    for kind in kinds():
        families = defaultdict(list)
        for e in registry.find(kind=kind, origin="kcatalog"):
            families[Path(e.file).parent.name if kind == "layers" else ""].append(row(e))
        blocks.append(f"## {kind.capitalize()}")
        for family, rows in sorted(families.items()):
            title = [f"### {family.replace('_', ' ').capitalize()}\n"] if family else []
            head = ["| part | what it does | source |", "|---|---|---|"]
            blocks.append("\n".join([*title, *head, *rows]))
    names = [f"`{e.path.removeprefix('keras.')}`" for e in registry.find(origin="keras")]
    beside = "Keras's own parts with a search space, for the tuner: "
    return "\n\n".join(blocks) + f"\n\n## In Keras\n\n{beside}{', '.join(names)}."


def counts() -> str:
    """Return the number of parts of each kind, and a few examples."""
    numbers = []
    for kind in kinds():
        number = len(registry.find(kind=kind, origin="kcatalog"))
        name = kind.removesuffix("s") if number == 1 else kind
        numbers.append(f"[{number} {name}](docs/parts.md#{kind})")
    rows = ["| part | what it does | source |", "|---|---|---|"]
    rows += [row(registry.describe(name)) for name in EXAMPLES]
    listed = f"The catalog holds {', '.join(numbers[:-1])} and {numbers[-1]}. Six examples:"
    return listed + "\n\n" + "\n".join(rows)


def kinds() -> list[str]:
    """Return the kinds that have parts, in the order of the listing."""
    return list(dict.fromkeys(e.kind for e in registry.find(origin="kcatalog")))


def row(entry) -> str:
    """Return a part's row: name, summary and paper."""
    paper, name = entry.card.paper, entry.path.removeprefix("kcatalog.")
    source = f"[{paper.authors.split(',')[0]} {paper.year}]({paper.link})"
    return f"| `{name}` | {entry.summary} | {source} |"


def scores() -> str:
    """Return the recipes' scores beside their baselines."""
    rows = ["| recipe | measure | score | baseline | CPU minutes |", "|---|---|---|---|---|"]
    for r in json.loads(SCORES.read_text(encoding="utf-8")):
        mean = statistics.mean(r["scores"])
        sign = 1 if r["higher"] else -1
        better = all(sign * s > sign * r["baseline"] for s in r["scores"])
        shown = f"**{mean:.4f}**" if better else f"{mean:.4f}"
        note = "" if better else f" {WORTH[r['recipe']]}"
        seeds = ", ".join(f"{s:.4f}" for s in r["scores"])
        rows.append(
            f"| `{r['recipe']}` | {r['measure']} {'↑' if r['higher'] else '↓'} | {shown} ({seeds}) "
            f"| {r['baseline']:.4f}, {r['baseline_name']}.{note} | {r['minutes']:.1f} |"
        )
    return "\n".join(rows)


def transfer() -> str:
    """Return the accuracies of transfer learning and of training from nothing, a row each."""
    found = json.loads(TRANSFER.read_text(encoding="utf-8"))
    rows = ["| trained | mean accuracy | of each seed |", "|---|---|---|"]
    for name, scores in found["scores"].items():
        seeds = ", ".join(f"{s:.3f}" for s in scores)
        rows.append(f"| {name} | {statistics.mean(scores):.3f} | {seeds} |")
    return (
        f"{found['samples']} images a class, {found['epochs']} epochs, {found['test_samples']} "
        f"test images, {found['seeds']} seeds, each with images and a backbone of its own:\n\n"
    ) + "\n".join(rows)


# --- what was measured ------------------------------------------------------------------


def peers_in_full() -> str:
    """Return the conditions, all measurements and the slopes."""
    result = measured()
    if not result:
        return NOT_MEASURED
    names, machine, settings = list(result["versions"]), result["machine"], result["settings"]
    conditions = (
        f"Measured {result['date']} on {machine['cores']} cores ({machine['cpu']}, "
        f"{machine['memory_gib']:.0f} GiB), {settings['rounds']} rounds. A library fails "
        f"after {settings['timeout_s']} s or beyond {settings['memory_gib']} GiB."
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
        "Slope of log(time) over log(batch), for the three largest batches that succeeded:",
        by_contestant(slopes, names, lambda s: f"{s['slope']:.1f}"),
    ]
    return "\n\n".join(parts)


NOT_MEASURED = "Not measured yet: `make bench`."
SAMPLES = {"few": "8 a class", "many": "10 classes"}


def measured() -> dict | None:
    """Return the saved run."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else None


def by_contestant(rows, names, cell) -> str:
    """Render a Markdown table: a row for each loss, samples and batch, a column a contestant."""
    lines = {}
    for r in rows:
        key = r["case"], SAMPLES[r["samples"]], str(r["batch"])
        lines.setdefault(key, {})[r["contestant"]] = cell(r)
    head = ["loss", "samples", "batch", *names]
    body = [[*key, *(cells.get(n, "–") for n in names)] for key, cells in sorted_by_case(lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *body])


def sorted_by_case(lines):
    """Sort lines by loss and samples, and keep the order of measurement within them."""
    first = list(dict.fromkeys(key[:2] for key in lines))
    cases = list(dict.fromkeys(case for case, _ in first))
    return sorted(lines.items(), key=lambda e: (cases.index(e[0][0]), first.index(e[0][:2])))


def in_units(row) -> str:
    """Format time and memory, or the reason why there are none."""
    if row["failed"]:
        return row["failed"]
    s, mib = row["seconds"], row["peak_mib"]
    time = f"{s:.1f} s" if s >= 1 else f"{1e3 * s:.3g} ms"
    return f"{time}, {f'{mib / 1024:.1f} GiB' if mib >= 1024 else f'{mib:.0f} MiB'}"


# --- files ------------------------------------------------------------------------------

BLOCKS = {
    "parts": parts_table,
    "counts": counts,
    "scores": scores,
    "transfer": transfer,
    "peers-in-full": peers_in_full,
}


def render(text: str) -> str:
    """Render the generated blocks of a text."""
    for name, block in BLOCKS.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin in text:
            new = f"{begin}\n{block()}\n{end}"
            text = re.sub(f"{begin}.*{end}", lambda _, new=new: new, text, flags=re.DOTALL)
    return text


def main() -> int:
    """Write the files, or with --check report whether they are up to date."""
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
