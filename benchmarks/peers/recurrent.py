"""Recurrent layers of one environment for `benchmarks/recurrent.py`: time and memory of a step.

    python recurrent.py "TensorFlow, XLA"

Speaks JSON, a line each way. The libraries are imported once; every job then runs in a fork of this
process, so that its peak memory is its own and a job that dies takes nothing with it:

    {"layers": ["MinGRU"], "steps": 64, "units": 64, "features": 64, "batch": 32,
     "gradient": true, "rounds": 5, "timeout": 300}
    {"MinGRU": {"wall": [...], "processor": [...]}, "peak_mib": ...}        or {"failed": "timeout"}

A step is the mean square of a layer's outputs at all steps of random input (of a CRF, its loss), or
value and gradient of that for the input and all weights. The layers of a job take turns.
"""

import json
import os
import signal
import sys
import time

import numpy as np
from worker import memory

SLOW = 5.0  # seconds of a step, after which it takes no further turn
TAGS = 9  # of a CRF: beginning and inside of four entities, and outside


# --- environments: each imports its libraries and returns step(name, x, units, gradient) -------


def keras3(jit_compile=False):
    import keras
    from keras import ops

    from kcatalog import layers, losses

    def loss_of(name, x):
        """Return the loss of a layer's output."""
        if name != "CRF":
            return lambda y: ops.mean(ops.square(y))
        tags = np.random.default_rng(1).integers(0, TAGS, size=x.shape[:2])
        return lambda y: losses.CRFCrossentropy()(tags, y)

    def made(name, units, x):
        if name == "CRF":
            layer = layers.CRF(TAGS)
            layer.build(x.shape)
            return layer
        module = keras.layers if name.startswith("keras.") else layers
        layer = getattr(module, name.removeprefix("keras."))(units, return_sequences=True)
        layer.build(x.shape)
        return layer

    def tensorflow(name, x, units, gradient):
        layer, loss = made(name, units, x), loss_of(name, x)
        weights = [v.value for v in layer.trainable_variables]
        value = lambda x: loss(layer(x))  # noqa: E731
        return tensorflow_step(value, x, weights, gradient, jit_compile)

    def jax(name, x, units, gradient):
        import jax

        layer, loss = made(name, units, x), loss_of(name, x)
        fixed = [v.value for v in layer.non_trainable_variables]

        def value(x, weights):
            return loss(layer.stateless_call(weights, fixed, x)[0])

        function = jax.jit(jax.value_and_grad(value, (0, 1)) if gradient else value)
        arguments = jax.device_put(x), [v.value for v in layer.trainable_variables]
        return lambda: jax.block_until_ready(function(*arguments))

    def torch(name, x, units, gradient):
        import torch

        if name.startswith("torch."):
            layer = getattr(torch.nn, name.removeprefix("torch."))(x.shape[-1], units)
            forward, weights = lambda x: layer(x.transpose(0, 1))[0], list(layer.parameters())
        else:
            forward = layer = made(name, units, x)
            weights = [v.value for v in layer.trainable_variables]
        x, loss = torch.from_numpy(x), loss_of(name, x)

        def step():
            if not gradient:
                with torch.no_grad():
                    return loss(forward(x))
            return torch.autograd.grad(loss(forward(x.requires_grad_())), [x, *weights])

        return step

    return {"tensorflow": tensorflow, "jax": jax, "torch": torch}[keras.backend.backend()]


def tfa():
    """TensorFlow Addons' cells, and Keras 2's layers, in a tf.function as Keras 2 trains."""
    import tensorflow as tf
    import tensorflow_addons as tfa

    def step(name, x, units, gradient):
        if name.startswith("keras."):
            cls = getattr(tf.keras.layers, name.removeprefix("keras."))
            layer = cls(units, return_sequences=True)
        else:
            cell = getattr(tfa.rnn, name.removeprefix("tfa."))(units)
            layer = tf.keras.layers.RNN(cell, return_sequences=True)
        layer.build(x.shape)
        value = lambda x: tf.reduce_mean(tf.square(layer(x)))  # noqa: E731
        return tensorflow_step(value, x, layer.trainable_variables, gradient, False)

    return step


def tensorflow_step(value, x, weights, gradient, jit_compile):
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            v = value(x)
        return v, tape.gradient(v, [x, *weights])

    x = tf.constant(x)
    if not gradient:
        forward = tf.function(value, jit_compile=jit_compile)
        return lambda: forward(x).numpy()

    def step():
        v, gradients = both(x)
        gradients[0].numpy()  # waits
        return v.numpy()

    return step


ENVIRONMENTS = {
    "TensorFlow": keras3,
    "TensorFlow, XLA": lambda: keras3(jit_compile=True),
    "JAX": keras3,
    "PyTorch": keras3,
    "TensorFlow Addons": tfa,
}


# --- jobs ---------------------------------------------------------------------------------------


def work(make_step, job):
    """Let the layers take turns; a step that is slow takes only one."""
    before = memory()
    shape = job["batch"], job["steps"], job["features"]
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    steps, taken = {}, {}
    for name in job["layers"]:
        steps[name] = make_step(name, x, job["units"], job["gradient"])
        steps[name]()  # compiles
        taken[name] = {"wall": [], "processor": []}
    for _ in range(job["rounds"]):
        for name, step in steps.items():
            if max(taken[name]["wall"], default=0) > SLOW:
                continue
            wall, processor = time.perf_counter(), time.process_time()
            step()
            taken[name]["wall"].append(time.perf_counter() - wall)
            taken[name]["processor"].append(time.process_time() - processor)
    now = memory()
    return taken | {"peak_mib": now["VmHWM"] - now["RssFile"] - before["RssAnon"]}


def in_fork(make_step, job):
    """Do the job in a process of its own and return what it reports."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(job["timeout"])
            with os.fdopen(writing, "w") as file:
                json.dump(work(make_step, job), file)
            code = 0
        except Exception as e:
            print(f"{job['layers']}: {type(e).__name__}: {e}"[:2000], file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        return {"failed": "timeout" if code == -signal.SIGALRM else f"failed ({code})"}
    return json.loads(text)


def main():
    replies = os.fdopen(os.dup(1), "w")  # what a library prints goes to stderr instead
    os.dup2(2, 1)
    make_step = ENVIRONMENTS[sys.argv[1]]()
    while line := sys.stdin.readline():
        print(json.dumps(in_fork(make_step, json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
