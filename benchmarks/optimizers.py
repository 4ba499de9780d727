"""Time and memory of a step of every optimizer and wrapper, beside Adam and beside their peers.

    make bench-peers                                    # once, for the peers' environments
    KERAS_BACKEND=jax python benchmarks/optimizers.py --write
    python benchmarks/optimizers.py --optimizers Yogi,Lookahead --sizes 10 --no-peers --no-memory

All optimizers and wrappers of the catalog take part. An optimizer takes turns with Keras's Adam, a
wrapper (around Adam) with Adam by itself, so that a busy machine is busy for both; a turn is some
steps, since wrappers do some things every few steps only. A step applies given gradients, compiled
as Keras trains (on TensorFlow a graph; with --xla by XLA). The peers' same methods take turns with
the peer's own Adam in a process of the peer's environment (`peers/optimizers.py`).

State is what an optimizer keeps beyond the weights; a wrapper's is without Adam's. Peak memory is
that of a fresh process for each, less weights and gradients, compilation included: for the largest
of the sizes. Prints tables in Markdown and saves `results/optimizers_<backend>.json`; --write puts
the tables into RESULTS.md; with --optimizers it keeps the other rows of the record. On a busy
machine read the ratios of processor time.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from turns import measure, milliseconds, ratios

from kcatalog import registry
from kcatalog.card import build_args

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
PAGE = ROOT / "benchmarks/RESULTS.md"
WORKER = ROOT / "benchmarks/peers/optimizers.py"
PEERS = {"TFA": "tfa", "optax": "optimizers", "pytorch_optimizer": "optimizers"}

SIZES = {
    "10": ("10 weights of 316×316, 1 M in all", [(316, 316)] * 10),
    "122": ("122 weights of 64×64, 0.5 M in all", [(64, 64)] * 122),
    "1000": ("1000 weights of 158×158, 25 M in all", [(158, 158)] * 1000),
}
# Bytes of float32 per weight that the paper's algorithm has to keep, whoever writes it.
MINIMUM = {
    "Adam": 8,
    "ADOPT": 8,
    "AdEMAMix": 12,
    "AdaBelief": 8,
    "AdaptiveGradientClipping": 0,
    "Adan": 16,  # three moments and the last gradient
    "Cautious": 0,
    "COCOB": 20,
    "DecoupledWeightDecay": 0,
    "GradientCentralization": 0,
    "GradientNoise": 0,
    "LAMB": 8,
    "LARS": 4,
    "LayerwiseDecay": 0,
    "LazyAdam": 8,
    "Lookahead": 4,
    "MADGRAD": 12,
    "MARS": 12,
    "MovingAverage": 4,
    "NovoGrad": 4,
    "OrthogonalGradient": 0,
    "Prodigy": 16,  # two moments, the start and the numerator
    "RectifiedAdam": 8,
    "SAM": 4,  # where the weights were
    "ASAM": 4,
    "ScheduleFree": 4,
    "SkipNonFinite": 0,
    "Sophia": 8,
    "StochasticWeightAveraging": 4,
    "Yogi": 8,
}
ADAM = "Adam"


# --- contestants -------------------------------------------------------------------------


def entries(names=None):
    """Return the catalog's optimizers and wrappers that step by given gradients, all or some."""
    found = registry.find(kind="optimizers", origin="kcatalog")
    found = [e for e in found if "second-gradient" not in e.card.tags]  # they call for the model
    return [e for e in found if names is None or e.name in names]


def make(entry):
    """Return an optimizer of the card's example settings; a wrapper is one around Adam."""
    args = build_args(entry.card.example.args)
    if "wrapper" in entry.card.tags:
        args["inner"] = keras.optimizers.Adam(1e-3)
    return entry.load()(**args)


class Contestant:
    """An optimizer with weights of its own, and a step as Keras trains."""

    def __init__(self, optimizer, gradients, xla):
        self.variables = [keras.Variable(np.ones(g.shape, "float32")) for g in gradients]
        self.optimizer, self.gradients = optimizer, gradients
        optimizer.build(self.variables)
        backend = keras.backend.backend()
        self.step = getattr(self, f"_{backend}")(xla)

    def state_bytes(self):
        """Return the bytes of state for each weight."""
        weights = sum(int(np.prod(v.shape)) for v in self.variables)
        state = sum(int(np.prod(v.shape)) for v in self.optimizer.variables)
        return 4 * state / weights

    def _tensorflow(self, xla):
        import tensorflow as tf

        @tf.function(jit_compile=xla, autograph=False)
        def step(gradients):
            self.optimizer.apply(gradients, self.variables)

        return lambda: step(self.gradients)

    def _jax(self, xla):
        import jax

        apply = jax.jit(self.optimizer.stateless_apply, donate_argnums=(0, 2))
        state = [[v.value for v in vs] for vs in (self.optimizer.variables, self.variables)]
        for v in (*self.optimizer.variables, *self.variables):  # the state is held once
            v._value = None

        def step():
            weights, slots = apply(state[0], self.gradients, state[1])
            state[:] = slots, weights
            jax.block_until_ready(state)

        return step

    def _torch(self, xla):
        return lambda: self.optimizer.apply(self.gradients, self.variables)


def random_gradients(shapes):
    rng = np.random.default_rng(0)
    return [keras.ops.convert_to_tensor(rng.normal(size=s).astype("float32")) for s in shapes]


def turn(contestant, steps):
    def several():
        for _ in range(steps):
            contestant.step()

    return several


# --- measuring ---------------------------------------------------------------------------


def measure_one(entry, shapes, args):
    """Return a row: an optimizer beside Adam."""
    gradients = random_gradients(shapes)
    try:
        ours = Contestant(make(entry), gradients, args.xla)
        adam = Contestant(keras.optimizers.Adam(1e-3), gradients, args.xla)
        state = ours.state_bytes()
        if "wrapper" in entry.card.tags:
            state -= adam.state_bytes()
        both = {entry.name: turn(ours, args.steps), ADAM: turn(adam, args.steps)}
        times = measure(both, args.rounds)
    except Exception as e:  # one that cannot be measured is a row, too
        return {"failed": f"{type(e).__name__}: {e}"[:200]}
    wall, processor = ratios(times[entry.name], times[ADAM])
    return {
        "ms": milliseconds(times[entry.name]) / args.steps,
        "adam_ms": milliseconds(times[ADAM]) / args.steps,
        "wall": wall,
        "processor": processor,
        "state": state,
    }


def peak_in_this_process(name, size, xla):
    """Print the peak memory in bytes a weight, beyond weights and gradients."""
    sys.path.insert(0, str(WORKER.parent))
    from worker import memory

    shapes = SIZES[size][1]
    gradients = random_gradients(shapes)
    before = memory()["RssAnon"]
    made = keras.optimizers.Adam(1e-3) if name == ADAM else make(*entries([name]))
    contestant = Contestant(made, gradients, xla)
    for _ in range(3):
        contestant.step()
    now = memory()
    peak = (now["VmHWM"] - now["RssFile"] - before) * 2**20
    print(json.dumps(peak / sum(map(np.prod, shapes)) - 4))  # the weights


def peak(name, size, args):
    """Return the peak memory of an optimizer in a process of its own, or None."""
    command = [sys.executable, __file__, "--peak", name, "--sizes", size]
    command += ["--xla"] * args.xla
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return None if done.returncode else json.loads(done.stdout.splitlines()[-1])


def measure_peer(library, names, shapes, args):
    """Return rows by name, of those that the peer has; none where it is not installed."""
    python = Path(args.peers) / PEERS[library] / "bin/python"
    if not python.exists():
        return {}
    job = {"names": names, "shapes": shapes, "steps": args.steps, "rounds": args.rounds}
    settings = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [python, WORKER, library],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env=os.environ | settings,
    )
    if done.returncode:
        print(f"{library}: {done.stderr[-500:]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def run(args):
    """Measure everything and return the record of it."""
    names = args.optimizers.split(",") if args.optimizers else None
    chosen, record = entries(names), {"backend": backend_name(args), "sizes": {}}
    if names and args.write and path(args, record).exists():  # the other rows stay
        record = json.loads(path(args, record).read_text(encoding="utf-8"))
    for size in args.sizes.split(","):
        of_size = record["sizes"].setdefault(size, {"rows": {}, "peers": {}})
        shapes, rows = SIZES[size][1], of_size["rows"]
        for entry in chosen:
            rows[entry.name] = measure_one(entry, shapes, args)
            rows[entry.name]["wrapper"] = "wrapper" in entry.card.tags
            print(f"{size}: {entry.name}: {rows[entry.name]}", file=sys.stderr, flush=True)
        for peer in PEERS if args.with_peers else ():
            found = measure_peer(peer, [e.name for e in chosen], shapes, args)
            of_size["peers"].setdefault(peer, {}).update(found)
        save(record, args)  # a size may take long: what is measured is kept
    if args.with_memory:
        largest = max(args.sizes.split(","), key=lambda s: sum(map(np.prod, SIZES[s][1])))
        old = record.get("peaks", {}) if record.get("peak_of") == largest else {}
        peaks = {n: peak(n, largest, args) for n in [ADAM, *(e.name for e in chosen)]}
        record |= {"peak_of": largest, "peaks": old | peaks}
    return record


def path(args, record):
    name = re.sub(r"\W+", "_", record["backend"])
    return args.out / f"optimizers_{name}.json"


def save(record, args):
    args.out.mkdir(parents=True, exist_ok=True)
    path(args, record).write_text(json.dumps(record, indent=1), encoding="utf-8")


def backend_name(args):
    mode = {"tensorflow": ", XLA" if args.xla else ", graph"}
    return keras.backend.backend() + mode.get(keras.backend.backend(), "")


# --- reporting ---------------------------------------------------------------------------


def table(record, size):
    """Yield the lines of the table of one size."""
    title, of_size = SIZES[size][0], record["sizes"][size]
    yield f"{record['backend']}, {title}. Ratios are of processor time, to the same library's Adam."
    yield ""
    yield "| | ms | ratio | state, bytes | paper | peak, bytes | TFA | optax | pytorch_optimizer |"
    yield "|---|---|---|---|---|---|---|---|---|"
    peaks = record.get("peaks", {}) if record.get("peak_of") == size else {}
    for wrapper in (False, True):
        rows = {n: r for n, r in of_size["rows"].items() if r["wrapper"] == wrapper}
        adam = [r["adam_ms"] for r in rows.values() if "adam_ms" in r]
        if not wrapper and adam:
            known = of_size["peers"].values()
            medians = [number(p.get(ADAM, {}).get("ms"), " ms") for p in known] or ["-"] * 3
            cells = [f"{statistics.median(adam):.3g}", "1", "8", "8", number(peaks.get(ADAM))]
            yield f"| Keras's Adam | {' | '.join([*cells, *medians])} |"
        for name, row in sorted(rows.items(), key=lambda item: item[1].get("processor", 99)):
            peers = [of_size["peers"].get(p, {}).get(name, {}).get("processor") for p in PEERS]
            label = f"`{name}`" + " around Adam" * wrapper
            if "failed" in row:
                yield f"| {label} | not measured: {row['failed']} | | | | | | | |"
                continue
            cells = [
                f"{row['ms']:.3g}",
                f"{row['processor']:.2f}",
                number(row["state"]),
                number(MINIMUM.get(name)),
                number(peaks.get(name)),
                *(number(p) for p in peers),
            ]
            yield f"| {label} | {' | '.join(cells)} |"


def number(value, unit=""):
    return "-" if value is None else f"{value:.3g}{unit}"


def write(text, backend):
    """Put the text into RESULTS.md, in place of what an earlier run wrote for this backend."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = (f"<!-- optimizers, {backend}: {word} -->" for word in ("begin", "end"))
    block = f"{begin}\n{text}\n{end}\n"
    if begin in page:
        page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}\n", lambda _: block, page, flags=re.S)
    else:
        if HEADING not in page:
            page = page.rstrip("\n") + f"\n\n{HEADING}\n\n{ABOUT}"
        before, rest = page.split(HEADING, 1)
        section, *further = re.split(r"(?m)^(?=## )", rest, maxsplit=1)
        page = before + HEADING + section.rstrip("\n") + "\n\n" + block + "\n".join(["", *further])
    PAGE.write_text(page.rstrip("\n") + "\n", encoding="utf-8")


HEADING = "## Steps of optimizers"
ABOUT = """\
`python benchmarks/optimizers.py --write` with each KERAS_BACKEND: a step with given gradients of
every optimizer and wrapper of the catalog, in turns with Keras's Adam (a wrapper around Adam, with
Adam alone). State and peak memory are bytes for each float32 weight beyond weights and gradients, a
wrapper's state without Adam's; "paper" is what its algorithm has to keep. A peer's column is the
ratio of its own method to its own Adam.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--optimizers", help="names, with commas (all)")
    parser.add_argument("--sizes", default=",".join(SIZES), help="numbers of weights")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (5)")
    parser.add_argument("--steps", type=int, default=6, help="steps of a turn (6)")
    parser.add_argument("--xla", action="store_true", help="compile by XLA on TensorFlow")
    parser.add_argument("--peers", default=ROOT / "benchmarks/.peers", help="environments of peers")
    parser.add_argument("--no-peers", dest="with_peers", action="store_false")
    parser.add_argument("--no-memory", dest="with_memory", action="store_false")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the record")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        peak_in_this_process(args.peak, args.sizes, args.xla)
        return
    record = run(args)
    save(record, args)
    text = "\n\n".join("\n".join(table(record, size)) for size in record["sizes"])
    print(text)
    if args.write:
        write(text, record["backend"])


if __name__ == "__main__":
    main()
