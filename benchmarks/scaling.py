"""Throughput of many devices and hosts, by a model of a training step; its assumptions are printed.

    python benchmarks/scaling.py recipes/image_cnn.py --hosts 8
    python benchmarks/scaling.py recipes/image_cnn.py --hosts 4 --devices 8 --bandwidth 100 --weak
    python benchmarks/scaling.py --step-ms 120 --fixed-ms 4 --parameters 25.6e6 --batch 256

Step time, parameters and the rate of the input pipeline are measured on one device of this machine
with a recipe's model and data, or given as numbers. Nothing is trained on many hosts here: the
table is arithmetic, and says what would limit them.
"""

import importlib.util
import math
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

BACKWARD = 2 / 3  # of a step's arithmetic: two products of matrices against one forward
BYTES = 4  # of a gradient's number: float32, under mixed precision too


@dataclass(frozen=True)
class Step:
    """One device's training step on `batch` samples.

    fixed: seconds that every step takes whatever the batch. per_sample: seconds a sample.
    parameters: the numbers in its gradients. input_rate: samples that a host's input pipeline
    delivers a second.
    """

    batch: int
    fixed: float
    per_sample: float
    parameters: float
    input_rate: float = float("inf")


@dataclass(frozen=True)
class Network:
    """A network between hosts (`across`) and between devices of one host (`inside`).

    Rates are in bytes a second each way, latencies in seconds. `overlap` is the share of the
    all-reduce that runs while the backward pass still computes.
    """

    across: float = 10e9 / 8
    latency: float = 50e-6
    inside: float = 50e9
    latency_inside: float = 5e-6
    overlap: float = 0.0


@dataclass(frozen=True)
class Predicted:
    """A step on many devices, in seconds, and what limits it."""

    hosts: int
    devices: int
    batch: int
    compute: float
    reduce: float
    input: float
    seconds: float

    @property
    def rate(self) -> float:
        return self.batch / self.seconds

    @property
    def limit(self) -> str:
        if self.input >= self.seconds:
            return "input"
        return "reduce" if self.reduce > self.compute else "compute"


def ring(members: int, size: float, bandwidth: float, latency: float) -> float:
    """Seconds of a ring all-reduce: 2 (n - 1) rounds, each passes on 1/n of the bytes.

    >>> round(ring(4, 1e9, 1e9, 0.0), 6)
    1.5
    """
    return 2 * (members - 1) * (size / members / bandwidth + latency)


def predict(step: Step, network: Network, hosts: int, devices: int, weak: bool) -> Predicted:
    """Predict a step on `hosts` hosts with `devices` devices each.

    Args:
        step: what one device does.
        network: what connects them.
        hosts, devices: how many hosts, and how many devices each of them has.
        weak: whether each device keeps its batch, rather than sharing one device's.
    """
    total, size = hosts * devices, BYTES * step.parameters
    batch = step.batch * total if weak else step.batch
    compute = step.fixed + step.per_sample * batch / total
    reduce = ring(devices, size, network.inside, network.latency_inside)
    reduce += ring(hosts, size, network.across, network.latency)
    hidden = min(network.overlap * reduce, BACKWARD * compute)
    fed = batch / hosts / step.input_rate
    seconds = max(compute + reduce - hidden, fed)
    return Predicted(hosts, devices, batch, compute, reduce, fed, seconds)


def measure(script: Path, steps: int) -> Step:
    """Measure a recipe's model on one device, at its batch size and at half of it."""
    import keras

    from kcatalog.recipe import devices
    from kcatalog.recipe.search import hyperparameters
    from kcatalog.recipe.tasks import batches_of

    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recipe = module.recipe
    with devices.using("auto"):
        data = recipe.source.load(None, 0)
        hp = hyperparameters.space(lambda hp: recipe.build(hp, data), {})
        keras.utils.set_random_seed(0)
        model = recipe.build(hp, data)
        whole = batches_of(data, hp, recipe.batch_size, 0)
        count = len(whole[0][1])
        fed = _median(lambda i: whole[i % len(whole)], steps)
        seconds = {}
        for size in (count, count // 2):
            x, y = (part[:size] for part in whole[0])
            seconds[size] = _median(lambda i, x=x, y=y: model.train_on_batch(x, y), steps)
        numbers = sum(math.prod(v.shape) for v in model.trainable_variables)
    per_sample = max(0.0, (seconds[count] - seconds[count // 2]) / (count - count // 2))
    fixed = max(0.0, seconds[count] - per_sample * count)
    return Step(count, fixed, per_sample, numbers, count / fed)


def _median(function, steps: int) -> float:
    function(0)  # compiles
    times = []
    for i in range(steps):
        start = time.perf_counter()
        function(i)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def assumptions(step: Step, network: Network, weak: bool) -> list[str]:
    """Print what the table rests on."""
    share = "each device keeps its batch" if weak else "the devices share one device's batch"
    fed = "never waited for" if step.input_rate == float("inf") else f"{step.input_rate:,.0f} a s"
    return [
        f"one device: {step.fixed * 1e3:.2f} ms a step + {step.per_sample * 1e6:.1f} µs a sample, "
        f"batch {step.batch}; {share}, and all are equally fast",
        f"gradients: {step.parameters:,.0f} numbers of {BYTES} bytes, summed once a step by a ring "
        "inside each host and one across hosts",
        f"across hosts {network.across * 8 / 1e9:g} Gbit/s and {network.latency * 1e6:g} µs a "
        f"message, inside one {network.inside / 1e9:g} GB/s and {network.latency_inside * 1e6:g} "
        "µs; nobody else uses them",
        f"{network.overlap:.0%} of the all-reduce is hidden behind the backward pass, which is "
        "two thirds of the computing",
        f"input: {fed} on each host, fetched while a step computes; validation, checkpoints and "
        "monitoring are left out",
    ]


def main(
    script: Annotated[Path | None, typer.Argument(help="A recipe, to measure it.")] = None,
    hosts: Annotated[int, typer.Option(min=1, help="Up to so many hosts.")] = 8,
    devices: Annotated[int, typer.Option(min=1, help="Devices a host.")] = 1,
    weak: Annotated[bool, typer.Option("--weak", help="Each device keeps its batch.")] = False,
    bandwidth: Annotated[float, typer.Option(help="Gbit/s between hosts.")] = 10.0,
    latency: Annotated[float, typer.Option(help="Microseconds a message, between hosts.")] = 50.0,
    inside: Annotated[float, typer.Option(help="GB/s between devices of a host.")] = 50.0,
    overlap: Annotated[float, typer.Option(min=0, max=1, help="Of the all-reduce hidden.")] = 0.0,
    steps: Annotated[int, typer.Option(min=1, help="Steps to measure.")] = 20,
    step_ms: Annotated[float | None, typer.Option(help="Instead of measuring.")] = None,
    fixed_ms: Annotated[float, typer.Option(help="Of these, whatever the batch.")] = 0.0,
    parameters: Annotated[float, typer.Option(help="Trainable numbers.")] = 0.0,
    batch: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 32,
    input_rate: Annotated[float | None, typer.Option(help="Samples a s a host gets.")] = None,
):
    """Print throughput for 1 to so many hosts."""
    if (script is None) == (step_ms is None):
        raise typer.BadParameter("give either a recipe's script or --step-ms")
    if script is not None:
        step = measure(script, steps)
    else:
        step = Step(batch, fixed_ms / 1e3, (step_ms - fixed_ms) / 1e3 / batch, parameters)
    if input_rate is not None:
        step = replace(step, input_rate=input_rate)
    network = Network(
        bandwidth * 1e9 / 8, latency / 1e6, inside * 1e9, Network.latency_inside, overlap
    )
    console = Console(width=max(130, Console().width), highlight=False)
    lines = ("Assumptions:", *assumptions(step, network, weak))
    console.print(*lines, sep="\n  - ", soft_wrap=True)
    alone = predict(step, network, 1, 1, weak)
    table = Table("hosts", "devices", "batch", "compute ms", "reduce ms", "input ms")
    for name in ("step ms", "samples/s", "per host", "efficiency", "limit"):
        table.add_column(name, justify="right")
    counts = sorted({2**i for i in range(hosts.bit_length())} | {hosts})
    rows = [predict(step, network, n, devices, weak) for n in counts if n <= hosts]
    for p in rows if devices == 1 else [alone, *rows]:
        total = p.hosts * p.devices
        milliseconds = [f"{1e3 * t:.2f}" for t in (p.compute, p.reduce, p.input, p.seconds)]
        table.add_row(
            *(str(p.hosts), str(total), str(p.batch), *milliseconds),
            *(f"{p.rate:,.0f}", f"{p.rate / p.hosts:,.0f}"),
            *(f"{p.rate / (alone.rate * total):.0%}", p.limit),
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
