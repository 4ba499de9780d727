"""Triplet losses beside their peers: time, peak memory, and how both grow with the batch.

    make bench                                       # builds what it needs, then all of it
    python benchmarks/metric_learning.py --batches 256,1024 --cases semi-hard
    python benchmarks/metric_learning.py --quick --no-peers     # only shows that it runs

A step is value and gradient of the loss of random embeddings, on the CPU. Each contestant runs in
its own environment and each measurement in a fresh process (`peers/worker.py`); the contestants
of a case take turns, so that a busy machine is busy for all of them. Peak memory counts from
before the first call, compilation included. What a contestant cannot do is reported as such.

The whole run is saved as `results/metric_learning.json`, from which `make readme` makes tables.
"""

import datetime
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).parents[1]
WORKER = ROOT / "benchmarks/peers/worker.py"
TFA_PYTHON = ROOT / "benchmarks/.peers/tfa/bin/python"
PML_PYTHON = ROOT / "benchmarks/.peers/torch/bin/python"
RESULT = ROOT / "benchmarks/results/metric_learning.json"
PLOT = ROOT / "docs/images/metric_learning.png"

CASES = ("semi-hard", "batch-all", "batch-hard")
SAMPLES = {"few": "8 samples a class", "many": "ten classes"}
BATCHES = (128, 256, 512, 1024, 2048, 4096, 8192)

OURS, PLAIN, FLOOR = "kcatalog", "kcatalog, no XLA", "distances"
TFA, PML = "TensorFlow Addons", "pytorch-metric-learning"
BACKENDS = {"jax": "kcatalog, JAX", "torch": "kcatalog, PyTorch"}
LACKS = {(TFA, "batch-all")}
DIFFERS = {(PML, "semi-hard")}  # its miner keeps all semi-hard triplets, not the nearest of each

PATIENCE = 3.0  # seconds of measuring, after which a contestant takes no further turn
SLOW = 10.0  # seconds of a first call that then is the measurement, compilation and all

console = Console(width=max(100, Console().width))


class Contestant:
    """A worker process that has imported its library."""

    def __init__(self, name: str, python: Path | str = sys.executable, backend: str = "tensorflow"):
        packages = {
            TFA: ["tensorflow-addons", "tensorflow", "numpy"],
            PML: ["pytorch-metric-learning", "torch", "numpy"],
        }.get(name, ["kcatalog", "keras", backend, "numpy"])
        settings = {
            "KERAS_BACKEND": backend,
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_WAIT_POLICY": "passive",  # spinning makes PyTorch crawl on a busy machine
        }
        self.name = name
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [python, WORKER, name, *packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | settings,
        )

    def ask(self, request) -> dict:
        """Return the worker's answer to a job, to "step" or to "stop"."""
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.hear()

    def hear(self) -> dict:
        """Read the worker's next message; the first one holds versions."""
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"{self.log.read()[-3000:]}\nThe worker of {self.name} ended; see above.")
        return json.loads(line)

    def end(self):
        self.process.communicate()
        self.log.close()


# --- measuring ----------------------------------------------------------------------------


def measure(contestants: list[Contestant], job: dict, rounds: int) -> dict[str, dict]:
    """One case at one size, in rounds in which each contestant takes a turn."""
    last, seconds = {}, {}
    for c in contestants:
        last[c.name], seconds[c.name] = c.ask(job), []
        if "ready" in last[c.name]:
            last[c.name] = c.ask("step")  # compiles
    for c in contestants * rounds:
        first, times = last[c.name].get("seconds", math.inf), seconds[c.name]
        if "failed" in last[c.name] or sum(times) > PATIENCE or (not times and first > SLOW):
            continue
        last[c.name] = c.ask("step")
        times.append(last[c.name].get("seconds"))
    rows = {}
    for c in contestants:
        answer, times = last[c.name], seconds[c.name]
        failed = answer.get("failed")
        if not failed:
            c.ask("stop")
        rows[c.name] = {
            "failed": failed,
            "seconds": None if failed else statistics.median(times or [answer["seconds"]]),
            "turns": 0 if failed else len(times),
            "peak_mib": answer.get("peak_mib"),
            "value": answer.get("value"),
        }
    return rows


def measure_all(contestants, cases, batches, rounds, limits) -> list[dict]:
    """One row for each case, batch, number of samples a class, and contestant."""
    settings = [(b, samples, case) for b in batches for samples in SAMPLES for case in cases]
    rows, too_slow = [], set()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(settings))
        for batch, samples, case in settings:
            classes = max(2, batch // 8) if samples == "few" else 10
            setting = {"case": case, "samples": samples, "batch": batch, "classes": classes}
            title, begin = f"batch {batch}, {case}, {SAMPLES[samples]}", time.monotonic()
            progress.update(task, description=title)
            able = [c for c in contestants if (c.name, case) not in LACKS]
            chosen = [c for c in able if (c.name, samples, case) not in too_slow]
            measured = measure(chosen, setting | limits, rounds)
            for c in able:  # one that took too long takes longer for more
                row = measured.get(c.name, {"failed": "timeout", "seconds": None, "turns": 0})
                rows.append({**setting, "contestant": c.name, **row})
                if row["failed"] == "timeout":
                    too_slow.add((c.name, samples, case))
            warn_of_disagreement(setting, measured)
            progress.advance(task)
            console.print(f"{title}: {time.monotonic() - begin:.0f} s", style="dim")
    return rows


def warn_of_disagreement(setting, measured):
    """Contestants that compute the same loss must get the same value."""
    values = {
        name: row["value"]
        for name, row in measured.items()
        if row["value"] is not None and name != FLOOR and (name, setting["case"]) not in DIFFERS
    }
    if any(abs(v - w) > 1e-3 * abs(v) for v in values.values() for w in values.values()):
        console.print(f"[red]The losses differ[/]: {setting}: {values}")


def add_ratios(rows):
    """Compute ratios: time and memory over ours, time over the floor's."""
    place = {(r["case"], r["samples"], r["batch"], r["contestant"]): r for r in rows}
    for r in rows:
        ours, floor = (place[r["case"], r["samples"], r["batch"], name] for name in (OURS, FLOOR))
        r["time_to_ours"] = ratio(r["seconds"], ours["seconds"])
        r["memory_to_ours"] = ratio(r.get("peak_mib"), ours.get("peak_mib"))
        r["time_to_floor"] = ratio(r["seconds"], floor["seconds"])


def ratio(a, b):
    return a / b if a is not None and b else None


def slopes(rows) -> list[dict]:
    """Fit d log(time) / d log(batch) to the last three sizes that a contestant finished."""
    series = {}
    for r in rows:
        if r["seconds"]:
            key = r["case"], r["samples"], r["contestant"]
            series.setdefault(key, []).append((math.log(r["batch"]), math.log(r["seconds"])))
    fitted = []
    for (case, samples, name), points in series.items():
        if len(points) > 1:
            slope = statistics.linear_regression(*zip(*points[-3:], strict=True)).slope
            fitted.append({"case": case, "samples": samples, "contestant": name, "slope": slope})
    return fitted


# --- reporting ----------------------------------------------------------------------------


def print_tables(result):
    """Print the result, a table for each case and number of samples a class."""
    for case in result["settings"]["cases"]:
        for samples, title in SAMPLES.items():
            table = Table(title=f"{case}, {title}", title_justify="left", box=box.SIMPLE_HEAD)
            for heading in ("batch", "", "ms", "to ours", "to floor", "MiB", "to ours"):
                right = "right" if heading else "left"
                table.add_column(heading, justify=right, no_wrap=True)
            group = [r for r in result["rows"] if (r["case"], r["samples"]) == (case, samples)]
            for i, r in enumerate(group):
                new = not i or group[i - 1]["batch"] != r["batch"]
                if new and i:
                    table.add_section()
                name = f"[bold]{r['contestant']}[/]" if r["contestant"] == OURS else r["contestant"]
                table.add_row(str(r["batch"]) if new else "", name, *numbers(r))
            console.print(table)
            for s in result["slopes"]:
                if (s["case"], s["samples"]) == (case, samples):
                    console.print(f"  time ~ batch^{s['slope']:.1f}  {s['contestant']}")
            console.print()


def numbers(row) -> list[str]:
    if row["failed"]:
        return [f"[red]{row['failed']}[/]", "", "", "", ""]
    times = [f"{row[key]:.1f}" if row[key] else "" for key in ("time_to_ours", "time_to_floor")]
    memory = f"{row['memory_to_ours']:.1f}" if row["memory_to_ours"] else ""
    return [f"{1e3 * row['seconds']:.2f}", *times, f"{row['peak_mib']:.0f}", memory]


def draw(result, path: Path):
    """Time and peak memory over the batch, log-log; a cross is the last size before a failure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    cases, names = result["settings"]["cases"], list(result["versions"])
    colours = {n: "#999999" if n == FLOOR else f"C{i}" for i, n in enumerate(names)}
    figure, axes = pyplot.subplots(
        2, len(cases), figsize=(1 + 3.4 * len(cases), 6.4), sharex=True, sharey="row", squeeze=False
    )
    for column, case in zip(axes.T, cases, strict=True):
        column[0].set_title(case)
        column[1].set_xlabel("batch")
        for name in names:
            for samples, line in zip(SAMPLES, ("-", "--"), strict=True):
                picked = [
                    r
                    for r in result["rows"]
                    if (r["case"], r["contestant"], r["samples"]) == (case, name, samples)
                ]
                good = [r for r in picked if not r["failed"]]
                for axis, key, unit in zip(column, ("seconds", "peak_mib"), (1e3, 1), strict=True):
                    y = [unit * max(r[key], 1e-9) for r in good]
                    x, style = [r["batch"] for r in good], {"color": colours[name], "lw": 1.3}
                    axis.loglog(x, y, line, marker=".", ms=4, base=2, nonpositive="clip", **style)
                    if good and len(good) < len(picked):
                        axis.plot(x[-1:], y[-1:], "x", ms=9, mew=2, color=colours[name])
    for axis, label in zip(axes[:, 0], ("ms a step", "peak memory, MiB"), strict=True):
        axis.set_ylabel(label)
        axis.set_yscale("log", base=10)
    for axis in axes.flat:
        axis.set_xticks(result["settings"]["batches"], result["settings"]["batches"], rotation=60)
        axis.grid(alpha=0.25)
    axes[1, 0].set_ylim(bottom=1)
    handles = [Line2D([], [], color=colours[n], label=n) for n in names]
    handles += [
        Line2D([], [], color="black", ls=line, label=title)
        for line, title in zip(("-", "--"), SAMPLES.values(), strict=True)
    ]
    handles.append(Line2D([], [], color="black", marker="x", ls="", label="fails beyond"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def machine() -> dict:
    """Describe what the numbers depend on, without a name of this machine."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_gib("MemTotal"), 1),
        "system": platform.system(),
    }


def memory_gib(name: str) -> float:
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20


def main(
    batches: Annotated[str, typer.Option(help="sizes, with commas")] = ",".join(map(str, BATCHES)),
    cases: Annotated[str, typer.Option(help="losses, with commas")] = ",".join(CASES),
    rounds: Annotated[int, typer.Option(help="turns of each contestant")] = 7,
    also: Annotated[str, typer.Option(help="further backends for ours: jax,torch")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="two small sizes, one round")] = False,
    peers: Annotated[bool, typer.Option(help="measure the peers too")] = True,
    tfa_python: Annotated[Path, typer.Option(help="has TensorFlow Addons")] = TFA_PYTHON,
    pml_python: Annotated[Path, typer.Option(help="has pytorch-metric-learning")] = PML_PYTHON,
    timeout: Annotated[int, typer.Option(help="seconds a step may take")] = 40,
    memory: Annotated[float, typer.Option(help="GiB a contestant may take; 0: what is free")] = 0,
    out: Annotated[Path | None, typer.Option(help="folder for JSON and plot")] = None,
    redraw: Annotated[bool, typer.Option("--redraw", help="print and plot the saved run")] = False,
):
    """Measure the triplet losses and their peers; a run of everything is saved for the README."""
    if redraw:
        result = json.loads(RESULT.read_text(encoding="utf-8"))
        print_tables(result)
        draw(result, PLOT)
        return
    if quick:
        batches, rounds = "32,64", 1
    sizes = sorted(int(b) for b in batches.split(","))
    chosen = [case for case in CASES if case in cases.split(",")]
    whole = tuple(sizes) == BATCHES and tuple(chosen) == CASES and peers
    rivals = [(TFA, tfa_python), (PML, pml_python)] if peers else []
    for name, python in rivals:
        if not python.exists():
            sys.exit(f"{python} is missing, to run {name}. Run `make bench-peers`, or --no-peers.")

    begin, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    contestants = [Contestant(FLOOR), Contestant(OURS), Contestant(PLAIN)]
    contestants += [Contestant(BACKENDS[b], backend=b) for b in also.split(",") if b]
    contestants += [Contestant(name, python) for name, python in rivals]
    versions = {c.name: c.hear() for c in contestants}
    memory = memory or memory_gib("MemAvailable") - 1
    limits = {"timeout": timeout, "memory_mib": 1024 * memory}
    rows = measure_all(contestants, chosen, sizes, rounds, limits)
    for c in contestants:
        c.end()
    add_ratios(rows)
    result = {
        "date": started.date().isoformat(),
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "machine": machine(),
        "versions": versions,
        "settings": {
            "cases": chosen,
            "batches": sizes,
            "rounds": rounds,
            "timeout_s": timeout,
            "memory_gib": round(memory, 1),
        },
        "slopes": slopes(rows),
        "rows": rows,
    }
    print_tables(result)
    console.print(f"{result['minutes']} minutes")
    if out or whole:
        save(result, out / RESULT.name if out else RESULT, out / PLOT.name if out else PLOT)


def save(result, path: Path, plot: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    try:
        draw(result, plot)
    except ImportError:
        console.print("No plot: it needs matplotlib, `make bench` installs it.")


if __name__ == "__main__":
    typer.run(main)
