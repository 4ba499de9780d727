"""Time of in-batch losses with gradient beside their floor, interleaved in one run.

    KERAS_BACKEND=jax python benchmarks/in_batch_losses.py --batches 256,1024 --losses TripletHard

The floor is what nearly every one of them needs: all pairwise distances and their gradient. Inputs
are random embeddings of 128 features, and labels of ten classes or of four samples a class. Prints
a table in Markdown: milliseconds, and in parentheses the ratios to the floor of wall time and of
processor time. On a busy machine read the processor time: it leaves out the waiting.
"""

import argparse

import keras
import numpy as np
from keras import ops
from turns import measure, milliseconds, ratios

from kcatalog import losses, registry
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops import pairwise_distances

FEATURES = 128
FLOOR = "distances"
TRIPLETS = "TripletSemiHard,TripletAll,TripletHard"


def contestants(names):
    """Return the floor and the losses, and the shape of one sample for each."""
    found = {FLOOR: ((FEATURES,), lambda y, x: ops.mean(pairwise_distances(x)))}
    for entry in registry.find(kind="losses", tag="in-batch", origin="kcatalog"):
        part, example = getattr(losses, entry.name), entry.card.example
        if names and entry.name not in names:
            continue
        if (
            issubclass(part, InBatchLoss)
            and example.targets == "labels"
            and example.predictions == "real"
        ):
            found[entry.name] = ((*example.shape[:-1], FEATURES), part(**required(entry)))
    return found


def required(entry):
    """Return the example's values of arguments that have no default."""
    return {a.name: entry.card.example.args[a.name] for a in entry.arguments if a.required}


def step_of(loss, x, labels, jit_compile):
    """Return a function that computes value and gradient once and waits for them."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=jit_compile)
        def both(x, labels):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(labels, x)
            return value, tape.gradient(value, x)

        x, labels = tf.constant(x), tf.constant(labels)
        return lambda: [v.numpy() for v in both(x, labels)]
    if backend == "jax":
        import jax

        both = jax.jit(jax.value_and_grad(lambda x, labels: loss(labels, x)))
        return lambda: jax.block_until_ready(both(x, labels))
    import torch

    x, labels = torch.from_numpy(x).requires_grad_(True), torch.from_numpy(labels)
    return lambda: torch.autograd.grad(loss(labels, x), x)


def cell(own, floor):
    """Return milliseconds, and in parentheses the ratios to the floor: wall, processor time."""
    wall, processor = ratios(own, floor)
    return f"{float(f'{milliseconds(own):.3g}'):,g} ms ({wall:.1f}, {processor:.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", default="256,1024,4096", help="sizes, with commas")
    parser.add_argument("--losses", default=TRIPLETS, help='names, with commas, or "all"')
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()

    backend = keras.backend.backend()
    modes = {"graph": False, "XLA": True} if backend == "tensorflow" else {"": True}
    names = [] if args.losses == "all" else args.losses.split(",")
    rng = np.random.default_rng(0)
    print("| | batch | loss | ten classes | 4 samples a class |")
    print("|---|---|---|---|---|")
    for mode, jit_compile in modes.items():
        for batch in map(int, args.batches.split(",")):
            measured = []
            for classes in (10, batch // 4):
                labels = rng.permutation(np.arange(batch) % classes).astype("int32")
                steps = {}
                for name, (shape, loss) in contestants(names).items():
                    x = rng.normal(size=(batch, *shape)).astype("float32")
                    steps[name] = step_of(loss, x, labels, jit_compile)
                measured.append(measure(steps, args.rounds))
            for name in measured[0]:
                cells = [cell(times[name], times[FLOOR]) for times in measured]
                print(
                    "|",
                    " | ".join([f"{backend} {mode}".strip(), str(batch), name, *cells]),
                    "|",
                    flush=True,
                )


if __name__ == "__main__":
    main()
