"""Recurrent layers beside Keras's, PyTorch's and TensorFlow Addons': time, memory, growth.

    make bench-peers                                        # once, for TensorFlow Addons
    python benchmarks/recurrent.py                          # all of it, about an hour
    python benchmarks/recurrent.py --environments JAX --sizes 64x64 --layers MinGRU,keras.GRU

A step is forward, or forward and backward for input and weights, of one layer with its outputs at
all steps, compiled as the environment does it. The layers of an environment take turns in one
process; each environment has a process of its own (`peers/recurrent.py`). Peak memory is that of a
fresh process for each layer, compilation included. Prints tables in Markdown. On a busy machine
read the processor time: it leaves out the waiting.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

from kcatalog import registry

ROOT = Path(__file__).parents[1]
WORKER = ROOT / "benchmarks/peers/recurrent.py"
TFA_PYTHON = ROOT / "benchmarks/.peers/tfa/bin/python"

KERAS = ["keras.LSTM", "keras.GRU"]
GATED = ["LayerNormLSTM", "LayerNormGRU", "PeepholeLSTM"]
OURS = [*GATED, "MinGRU", "MinLSTM", "SRU", "QRNN", "LRU", "CRF"]
LAYERS = {
    "TensorFlow": KERAS + OURS,
    "TensorFlow, XLA": KERAS + OURS,
    "JAX": KERAS + OURS,
    "PyTorch": [*KERAS, "torch.LSTM", "torch.GRU", *OURS],
    "TensorFlow Addons": [*KERAS, "tfa.LayerNormLSTMCell", "tfa.PeepholeLSTMCell"],
}
BACKENDS = {"JAX": "jax", "PyTorch": "torch"}
SIZES = "64x64,512x64,1024x64,8192x64,100x128"
TOO_LONG = 30.0  # seconds of a step; a layer that would take longer takes no part


class Environment:
    """A worker process that has imported its libraries."""

    def __init__(self, name):
        settings = {
            "KERAS_BACKEND": BACKENDS.get(name, "tensorflow"),
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_WAIT_POLICY": "passive",  # spinning makes PyTorch crawl on a busy machine
        }
        self.name, self.times = name, {}
        self.process = subprocess.Popen(
            [TFA_PYTHON if name == "TensorFlow Addons" else sys.executable, WORKER, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | settings,
        )

    def ask(self, job):
        print(json.dumps(job), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"The worker of {self.name} ended; see above.")
        return json.loads(line)

    def end(self):
        self.process.communicate()

    def measure(self, job, layers):
        """Yield a row for each layer that will not take too long, judging by fewer steps."""
        key, quick = (job["units"], job["gradient"]), []
        for name in layers:
            steps, seconds = self.times.get((name, *key), (job["steps"], 0))
            growth = job["steps"] / steps
            if seconds * growth < TOO_LONG and seconds * growth**2 < 4 * TOO_LONG:
                quick.append(name)
        answer = self.ask(job | {"layers": quick})
        if "failed" in answer:  # one by one, then
            answer = {}
            for name in quick:
                answer |= self.ask(job | {"layers": [name]})
        for name in layers:
            row = {"environment": self.name, "layer": name, **job}
            if name in answer and isinstance(answer[name], dict):
                times = answer[name]
                row |= {k: statistics.median(times[k]) for k in ("wall", "processor")}
                self.times[name, *key] = job["steps"], row["wall"]
                if job["gradient"]:
                    alone = self.ask(job | {"layers": [name], "rounds": 0})
                    row["peak_mib"] = alone.get("peak_mib")
            yield row


def cells(rows):
    """Return the table's rows: times, and ratios to Keras's layers of the same environment."""
    place = {(r["environment"], r["layer"], r["gradient"]): r for r in rows}
    for r in rows:
        if not r["gradient"] or "wall" not in r:
            continue
        forward = place[r["environment"], r["layer"], False]
        text = [r["environment"], r["layer"]]
        for one in (forward, r):
            text += [f"{1e3 * one[k]:.3g}" if k in one else "-" for k in ("wall", "processor")]
        for peer in KERAS:
            other = place.get((r["environment"], peer, True), {})
            both = "processor" in other
            text.append(f"{r['processor'] / other['processor']:.2f}" if both else "-")
        peak = r.get("peak_mib")
        yield [*text, "-" if peak is None else f"{peak:.0f}"]


def slope(points):
    """Fit d log(processor time) / d log(steps)."""
    logs = [(math.log(steps), math.log(seconds)) for steps, seconds in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--environments", default=";".join(LAYERS), help="names, with semicolons")
    parser.add_argument("--layers", help="names, with commas; default: all that there are")
    parser.add_argument("--sizes", default=SIZES, help="steps x units, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one measurement")
    args = parser.parse_args()

    environments = [Environment(name) for name in args.environments.split(";")]
    sizes = [tuple(map(int, size.split("x"))) for size in args.sizes.split(",")]
    known = {entry.name for entry in registry.find(kind="layers", origin="kcatalog")}
    chosen = args.layers.split(",") if args.layers else {n for ns in LAYERS.values() for n in ns}
    chosen = {name for name in chosen if "." in name or name in known}
    measured = []
    for steps, units in sorted(sizes, key=lambda size: (size[1], size[0])):
        rows = []
        for gradient in (False, True):
            for e in environments:
                layers = [name for name in LAYERS[e.name] if name in chosen]
                job = {"steps": steps, "units": units, "features": 64, "batch": args.batch}
                job |= {"gradient": gradient, "rounds": args.rounds, "timeout": args.timeout}
                rows += e.measure(job, layers)
        load = os.getloadavg()[0]
        print(f"\n{steps} steps, {units} units, batch {args.batch}; load {load:.1f}\n")
        print("| | layer | forward, ms | processor | gradient, ms | processor "
              "| to LSTM | to GRU | MiB |")  # fmt: skip
        print("|---|---|---|---|---|---|---|---|---|")
        for row in cells(rows):
            print("|", " | ".join(row), "|", flush=True)
        measured += rows
    for e in environments:
        e.end()

    print("\nWith gradient, processor time grows as steps to the power of:\n")
    series = {}
    for r in measured:
        if r["gradient"] and "processor" in r and r["steps"] >= 256:  # fewer are overhead
            key = r["environment"], r["layer"], r["units"]
            series.setdefault(key, []).append((r["steps"], r["processor"]))
    print("| | layer | power |\n|---|---|---|")
    for (environment, layer, _), points in series.items():
        if len(points) > 1:
            print(f"| {environment} | {layer} | {slope(points):.2f} |")


if __name__ == "__main__":
    main()
