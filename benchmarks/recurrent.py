"""Time of one training step: LayerNormLSTM beside keras.layers.LSTM, interleaved in one run.

    KERAS_BACKEND=jax python benchmarks/recurrent.py --steps 100 --units 128 --batch 32

A step is forward, backward and a plain SGD update, compiled as `Model.compile` does it. On a
busy machine read the CPU time: it leaves out the waiting.
"""

import argparse
import statistics
import time

import keras
import numpy as np

from kcatalog import layers


def layer_makers(units):
    """Build the layers to compare; the others are measured against the first."""
    return {
        "keras LSTM": lambda: keras.layers.LSTM(units),
        "LayerNormLSTM": lambda: layers.LayerNormLSTM(units),
        "RNN(LayerNormLSTMCell)": lambda: keras.layers.RNN(layers.LayerNormLSTMCell(units)),
    }


def training_step(layer, x, y, jit_compile):
    """Return a function that trains a model of this one layer on one batch."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(1e-3), "mse", jit_compile=jit_compile)
    return lambda: model.train_on_batch(x, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--jit", choices=["auto", "on", "off"], default="auto")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    x = rng.normal(size=(args.batch, args.steps, args.features)).astype("float32")
    y = rng.normal(size=(args.batch, args.units)).astype("float32")
    jit = {"auto": "auto", "on": True, "off": False}[args.jit]
    runs = {n: training_step(make(), x, y, jit) for n, make in layer_makers(args.units).items()}
    for run in runs.values():  # compile and warm up
        for _ in range(3):
            run()
    wall, cpu = ({name: [] for name in runs} for _ in range(2))
    for _ in range(args.repeats):
        for name, run in runs.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - cpu_started)

    setting = f"batch {args.batch}, {args.steps} steps, {args.features} -> {args.units}"
    print(f"{keras.backend.backend()}, {setting}, jit {args.jit}, medians of {args.repeats}")
    for what, times in (("time", wall), ("CPU time", cpu)):
        medians = {name: statistics.median(t) for name, t in times.items()}
        first = next(iter(medians.values()))
        for name, median in medians.items():
            print(f"  {what:8} {name:24} {1e3 * median:8.2f} ms   {median / first:5.2f} x")


if __name__ == "__main__":
    main()
