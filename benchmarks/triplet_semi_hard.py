"""TripletSemiHard beside its floor, the pairwise distances alone: time and peak memory.

    python benchmarks/triplet_semi_hard.py
    python benchmarks/triplet_semi_hard.py --peer-python /path/to/python-with-tensorflow-addons

Value and gradient, compiled, random embeddings. Both are timed in one process in turns, so that
a busy machine is busy for both. Peak memory is each one's own process's, above what it held
before its first call. KERAS_BACKEND chooses the backend.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

FEATURES = 128
ROUNDS = 9
ROOT = Path(__file__).parents[1]


def peak_mib():
    """The most memory this process has held, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compiled_gradient(function, x):
    """A call without arguments that computes value and gradient of `function` at `x`."""
    import keras

    backend = keras.backend.backend()
    x = keras.ops.convert_to_tensor(x)
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=os.environ.get("XLA", "1") == "1")
        def both(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = function(x)
            return value, tape.gradient(value, x)

        return lambda: both(x)[1].numpy()
    if backend == "jax":
        import jax

        both = jax.jit(jax.value_and_grad(function))
        return lambda: jax.block_until_ready(both(x))
    import torch

    x.requires_grad_(True)
    return lambda: torch.autograd.grad(function(x), x)


def ours(batch, per_class):
    """The floor and the loss on the same data."""
    import keras

    from kcatalog import losses, ops

    x, labels = data(batch, per_class)
    loss, labels = losses.TripletSemiHard(), keras.ops.convert_to_tensor(labels)
    return {
        "floor": compiled_gradient(lambda x: keras.ops.mean(ops.pairwise_distances(x)), x),
        "kcatalog": compiled_gradient(lambda x: loss(labels, x), x),
    }


def peer(batch, per_class):
    """TensorFlow Addons, in an interpreter that has it."""
    import tensorflow as tf
    import tensorflow_addons as tfa

    x, labels = (tf.constant(a) for a in data(batch, per_class))
    loss = tfa.losses.TripletSemiHardLoss()

    @tf.function
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(labels, x)
        return value, tape.gradient(value, x)

    return {"tfa": lambda: both(x)[1].numpy()}


def data(batch, per_class):
    """Random embeddings, and shuffled labels with `per_class` samples of each class."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, FEATURES)).astype("float32")
    return x, rng.permutation(np.arange(batch) // per_class).astype("int32")


def measure(who, batch, per_class, only=None):
    """Seconds, medians over interleaved rounds, or with `only` the peak memory of one."""
    calls = (peer if who == "peer" else ours)(batch, per_class)
    if only:
        before = peak_mib()
        for _ in range(3):
            calls[only]()
        return {only: peak_mib() - before}
    times = {name: [] for name in calls}
    for turn in range(ROUNDS + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def in_child(python, *arguments):
    """`measure` in a process of its own."""
    command = [python, __file__, "--child", json.dumps(arguments)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer-python", help="an interpreter with tensorflow-addons")
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 256, 512, 1024, 2048, 4096])
    parser.add_argument("--per-class", type=int, default=16, help="samples of each class")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(*json.loads(options.child))))
        return
    print(f"{'batch':>6} {'who':<9} {'ms':>9} {'to floor':>9} {'slope':>6} {'MiB':>8}")
    sides = [(sys.executable, "ours", ("floor", "kcatalog"))]
    if options.peer_python:
        sides.append((options.peer_python, "peer", ("tfa",)))
    last = {}
    for batch in options.batches:
        seconds, peaks = {}, {}
        for python, who, names in sides:
            seconds |= in_child(python, who, batch, options.per_class)
            for name in names:
                peaks |= in_child(python, who, batch, options.per_class, name)
        for name, s in seconds.items():
            import math

            slope = math.log(s / last[name][1], batch / last[name][0]) if name in last else math.nan
            ratio = s / seconds["floor"]
            peak = peaks.get(name, math.nan)
            print(f"{batch:6} {name:<9} {1e3 * s:9.2f} {ratio:9.1f} {slope:6.1f} {peak:8.0f}")
            last[name] = batch, s


if __name__ == "__main__":
    main()
