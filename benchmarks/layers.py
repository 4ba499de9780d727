"""Time of layers with gradient beside the same thing written naively from Keras layers.

    KERAS_BACKEND=jax python benchmarks/layers.py --layers SqueezeExcite,BlurPooling2D

A step is forward and backward, in training, for input and weights, compiled as `Model.compile` does
it. Prints a table in Markdown: milliseconds of both, and the ratio of wall time and of processor
time. On a busy machine read the processor time: it leaves out the waiting. `same` says that both
give the same output with the same weights; layers that draw random numbers cannot.
"""

import argparse

import keras
import numpy as np
from keras import ops
from naive import CASES
from turns import measure, milliseconds, ratios


def model_of(case, forward):
    """Return a model of one layer, or of its naive form."""
    inputs = [keras.Input(shape) for shape in case.shapes]
    return keras.Model(inputs, forward(*inputs))


def step_of(model, arrays, jit_compile):
    """Return a function that computes output and gradients once and waits for them."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=jit_compile)
        def both(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = scalar(model(x, training=True))
            return y, tape.gradient(y, [*x, *model.trainable_variables])

        x = [tf.constant(a) for a in arrays]
        return lambda: both(x)[0].numpy()
    if backend == "jax":
        import jax

        fixed = [v.value for v in model.non_trainable_variables]

        def value(x, weights):
            return scalar(model.stateless_call(weights, fixed, x, training=True)[0])

        both = jax.jit(jax.value_and_grad(value, (0, 1)))
        x = [jax.device_put(a) for a in arrays], [v.value for v in model.trainable_variables]
        return lambda: jax.block_until_ready(both(*x))
    import torch

    x = [torch.from_numpy(a).requires_grad_(True) for a in arrays]
    wanted = [*x, *(v.value for v in model.trainable_variables)]
    return lambda: torch.autograd.grad(scalar(model(x, training=True)), wanted, allow_unused=True)


def scalar(outputs):
    return sum(ops.mean(ops.square(y)) for y in keras.tree.flatten(outputs))


def same(ours, naive, arrays):
    """Say whether both give the same, with the same weights where those have the same shapes."""
    if [v.shape for v in ours.weights] != [v.shape for v in naive.weights]:
        return "-"
    naive.set_weights(ours.get_weights())
    outputs = [keras.tree.flatten(m(arrays, training=False)) for m in (ours, naive)]
    close = (
        np.allclose(*map(ops.convert_to_numpy, y), atol=1e-4) for y in zip(*outputs, strict=True)
    )
    return "yes" if all(close) else "NO"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", default=",".join(CASES), help="names, with commas")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()

    backend = keras.backend.backend()
    modes = {"graph": False, "XLA": True} if backend == "tensorflow" else {"": True}
    rng = np.random.default_rng(0)
    print("| | layer | input | ours, ms | naive, ms | wall | processor | same |")
    print("|---|---|---|---|---|---|---|---|")
    for name in args.layers.split(","):
        case = CASES[name]
        arrays = [rng.normal(size=(args.batch, *s)).astype("float32") for s in case.shapes]
        ours, naive = model_of(case, case.ours()), model_of(case, case.naive)
        equal = same(ours, naive, arrays)
        for mode, jit_compile in modes.items():
            steps = {"ours": step_of(ours, arrays, jit_compile)}
            steps["naive"] = step_of(naive, arrays, jit_compile)
            times = measure(steps, args.rounds)
            wall, processor = ratios(times["ours"], times["naive"])
            cells = [
                f"{backend} {mode}".strip(),
                name,
                " and ".join("×".join(map(str, s)) for s in case.shapes),
                f"{milliseconds(times['ours']):.3g}",
                f"{milliseconds(times['naive']):.3g}",
                f"{wall:.2f}",
                f"{processor:.2f}",
                equal,
            ]
            print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
