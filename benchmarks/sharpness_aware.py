"""Time of a whole training step with two gradients: SAM and its kind around Adam, beside Adam.

    KERAS_BACKEND=jax python benchmarks/sharpness_aware.py [--write]

Each trains the same dense network on the same batches by `train_on_batch`, compiled as Keras
compiles it, and takes turns with Adam alone. Two gradients cost twice one, so the floor of SAM is
the share of the step that is not its gradient: below 2. --write puts the table into RESULTS.md.
"""

import argparse

import keras
import numpy as np
from optimizers import write
from turns import measure, milliseconds, ratios

from kcatalog import registry, training

NAMES = ("SAM", "ASAM", "AlternatingSAM")
WIDTHS = (256, 1024)  # of three hidden layers


def contestant(optimizer, width):
    """Return a turn of eight training steps on 256 samples each."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(256, 64)).astype("float32"), rng.integers(10, size=256)
    hidden = [keras.layers.Dense(width, "relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10)])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.attach(model)

    def turn():
        for _ in range(8):
            model.train_on_batch(x, y)

    return turn


def rows(rounds):
    """Yield the lines of the table."""
    backend = keras.backend.backend()
    yield f"{backend}, whole training steps of three dense layers, batches of 256, around Adam."
    yield ""
    yield "| | width | ms a step | wall, to Adam's step | processor time, to Adam's |"
    yield "|---|---|---|---|---|"
    for width in WIDTHS:
        wrapped = {n: registry.describe(n).load()(keras.optimizers.Adam()) for n in NAMES}
        contestants = {"Adam": keras.optimizers.Adam(), **wrapped}
        turns = {n: contestant(o, width) for n, o in contestants.items()}
        times = measure(turns, rounds)
        for name in NAMES:
            wall, processor = ratios(times[name], times["Adam"])
            ms = milliseconds(times[name]) / 8
            yield f"| `{name}` | {width} | {ms:.3g} | {wall:.2f} | {processor:.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns of each (15)")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    args = parser.parse_args()
    text = "\n".join(rows(args.rounds))
    print(text)
    if args.write:
        write(text, f"training steps on {keras.backend.backend()}")


if __name__ == "__main__":
    main()
