"""Measure what the engine costs: each recipe beside a Keras script and a PyTorch twin.

    python benchmarks/recipes.py                              # all recipes, 5 rounds, and starting
    python benchmarks/recipes.py image_cnn --rounds 3         # only its training
    python benchmarks/recipes.py --start-up                   # only the cost of starting

All train what the recipe trains by default, on the same data, on the CPU, each in a fresh process;
within a round contestants take turns, so that a busy machine is busy for all of them. The scripts
in `twins/` do what is asked and no more: they keep the best weights, but write no logs, no
checkpoint to resume from and no manifest. Printed are medians, and ratios as the median over the
rounds of ours to theirs in the same round.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
TWINS = ROOT / "benchmarks" / "twins"
OURS, KERAS, TORCH = "recipe", "plain Keras", "plain PyTorch"
IMPORT = "import tensorflow"
CPU = ("CPU of an epoch", "CPU of all epochs")  # tell more than clocks on a busy machine

console = Console(width=max(110, Console().width))


@dataclass(frozen=True)
class Job:
    """A recipe, how long it trains here, and the validation score to be reached."""

    epochs: int
    metric: str
    goal: float
    samples: int  # a training epoch
    higher: bool = True


JOBS = {
    "image_cnn": Job(15, "val_accuracy", 0.98, 1120),
    "speech_lstm": Job(30, "val_accuracy", 0.92, 240),
    "text_gru": Job(3, "val_loss", 1.6, 3072, higher=False),
    "embedding_triplet": Job(20, "val_recall_at_1", 0.98, 1200),
    "forecast_gru": Job(8, "val_loss", 125.0, 1952, higher=False),
}


def main(
    recipes: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    epochs: Annotated[int | None, typer.Option(min=2, help="Instead of each one's own.")] = None,
    start_up: Annotated[bool, typer.Option("--start-up", help="Only that.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where to save figures as JSON.")] = None,
) -> None:
    """Print a table for each recipe, and one of start-up times."""
    unknown = set(recipes or ()) - set(JOBS)
    if unknown:
        raise typer.BadParameter(f"known are {', '.join(JOBS)}. Received: {unknown.pop()}")
    figures = {} if recipes else {"start-up": compare_starts(rounds)}
    for name in [] if start_up else recipes or JOBS:
        figures[name] = compare(name, rounds, epochs or JOBS[name].epochs)
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


# --- training -----------------------------------------------------------------------------


def compare(recipe: str, rounds: int, epochs: int) -> dict:
    """All contestants in turns, `rounds` times; prints and returns their medians."""
    commands = {
        OURS: [
            TWINS / "clock.py",
            ROOT / "recipes" / f"{recipe}.py",
            *("train", "--epochs", epochs, "--run-dir", "run"),
        ],
        KERAS: [TWINS / f"{recipe}_keras.py", epochs],
        TORCH: [TWINS / f"{recipe}_torch.py", epochs],
    }
    runs = {name: [] for name in commands}
    for turn in range(rounds):
        order = list(commands) if turn % 2 == 0 else list(commands)[::-1]
        for name in order:
            runs[name].append(measure(commands[name], JOBS[recipe]))
    rows = {name: _medians(of, runs[OURS]) for name, of in runs.items()}
    show(recipe, rows)
    return rows


def measure(command: list, job: Job) -> dict[str, float]:
    """One process: what it told of its epochs, how long it took, what memory it held."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        begin = time.time()
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=folder,
            env=_environment() | {"BENCH_REPORT": str(report), "BENCH_BEGAN": str(begin)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, errors = process.communicate()
        if process.returncode:
            sys.exit(f"{errors[-3000:]}\n{command[0]} failed.")
        total = time.time() - begin
        begun, *epochs = [json.loads(line) for line in report.read_text().splitlines()]
    seconds, cpu = ([epoch[clock] for epoch in epochs] for clock in ("seconds", "cpu"))
    steady = [b - a for a, b in itertools.pairwise(seconds)]
    reached = [e["seconds"] for e in epochs if _reached(e[job.metric], job)]
    return {
        "seconds": total,
        "until training": begun["seconds"],
        "first epoch": seconds[0] - begun["seconds"],
        "epoch": statistics.median(steady),
        "all epochs": seconds[-1] - begun["seconds"],
        "CPU of an epoch": (cpu[-1] - cpu[0]) / (len(cpu) - 1),
        "CPU of all epochs": cpu[-1] - begun["cpu"],
        "samples a second": job.samples / statistics.median(steady),
        "seconds to goal": reached[0] if reached else float("nan"),
        "peak MiB": epochs[-1]["peak"],
    }


def _reached(score: float, job: Job) -> bool:
    return score >= job.goal if job.higher else score <= job.goal


def _medians(runs: list[dict], ours: list[dict]) -> dict:
    medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    ratios = {
        f"recipe's {key}, times this": statistics.median(
            a[key] / b[key] for a, b in zip(ours, runs, strict=True)
        )
        for key in ("seconds", "epoch", "all epochs", *CPU, "peak MiB")
    }
    return medians | ratios


def show(recipe: str, rows: dict) -> None:
    job = JOBS[recipe]
    table = Table("", *rows, title=f"{recipe}; the goal is {job.metric} {job.goal}")
    for key in next(iter(rows.values())):
        table.add_row(key, *(f"{row[key]:.4g}" for row in rows.values()))
    console.print(table)


# --- starting -----------------------------------------------------------------------------


def compare_starts(rounds: int) -> dict:
    """Seconds until a recipe has imported all it trains with, beside importing TensorFlow alone.

    A recipe that is asked for a device nobody has ends where its work would begin.
    """
    commands = {IMPORT: ["-c", IMPORT]} | {
        name: [ROOT / "recipes" / f"{name}.py", "train", "--devices", "nothing"] for name in JOBS
    }
    times = {name: [] for name in commands}
    for turn in range(2 * rounds + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(
                [sys.executable, *map(str, command)], capture_output=True, env=_environment()
            )
            if turn:  # the first one writes bytecode and fills caches
                times[name].append(time.perf_counter() - begin)
    table = Table("", "seconds", f"times `{IMPORT}`", title="Starting")
    rows = {}
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times[IMPORT], strict=True)]
        rows[name] = {"seconds": statistics.median(seconds), "ratio": statistics.median(ratios)}
        table.add_row(name, f"{rows[name]['seconds']:.2f}", f"{rows[name]['ratio']:.3f}")
    console.print(table)
    return rows


def _environment() -> dict[str, str]:
    cached = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    settings = {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_WAIT_POLICY": "passive",  # spinning makes PyTorch crawl on a busy machine
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "kcatalog-bench-bytecode"),
    }
    return cached | settings


if __name__ == "__main__":
    typer.run(main)
