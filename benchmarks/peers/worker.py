"""One contestant of `benchmarks/metric_learning.py`, in the environment of its library.

    python worker.py "TensorFlow Addons" tensorflow-addons tensorflow

Speaks JSON, a line each way. The library is imported once; every job then runs in a fork of this
process, so that its peak memory is its own and a contestant that dies takes nothing with it:

    {"case": "semi-hard", "batch": 1024, "classes": 128, ...}       {"ready": true}
    "step"                              {"seconds": ..., "value": ..., "peak_mib": ...}
    "stop"                              {"failed": null}

The answer to a job or a step that cannot be done is {"failed": "out of memory"}, or "timeout".

A step is value and gradient of a loss, forward and backward, with respect to the embeddings.
"""

import importlib.metadata
import json
import os
import re
import resource
import signal
import sys
import time

MARGIN = 1.0
FEATURES = 128
TURN = 0.05  # seconds; a step is repeated until they are over


# --- contestants: each imports its library and returns prepare(case, x, labels) -> step ---


def kcatalog(jit_compile=True, floor=False):
    """Ours on the backend that KERAS_BACKEND names, or what each of the losses needs at least."""
    import keras

    from kcatalog import losses, ops

    parts = {
        "semi-hard": losses.TripletSemiHard,
        "batch-all": losses.TripletAll,
        "batch-hard": losses.TripletHard,
    }
    compiled = {"tensorflow": tensorflow_step, "jax": jax_step, "torch": torch_step}

    def prepare(case, x, labels):
        if floor:
            value = lambda x, labels: keras.ops.mean(ops.pairwise_distances(x))  # noqa: E731
        else:
            loss = parts[case](margin=MARGIN)
            value = lambda x, labels: loss(labels, x)  # noqa: E731
        return compiled[keras.backend.backend()](value, x, labels, jit_compile)

    return prepare


def tfa():
    """TensorFlow Addons, in a tf.function as Keras 2 trains."""
    import tensorflow_addons as tfa

    parts = {"semi-hard": tfa.losses.TripletSemiHardLoss, "batch-hard": tfa.losses.TripletHardLoss}

    def prepare(case, x, labels):
        loss = parts[case](margin=MARGIN)
        return tensorflow_step(lambda x, labels: loss(labels, x), x, labels, jit_compile=False)

    return prepare


def pml():
    """pytorch-metric-learning; its semi-hard miner keeps all triplets that are, not the nearest."""
    from pytorch_metric_learning import distances, losses, miners, reducers

    distance = distances.LpDistance(normalize_embeddings=False)

    def prepare(case, x, labels):
        reducer = reducers.MeanReducer() if case == "batch-hard" else reducers.AvgNonZeroReducer()
        loss = losses.TripletMarginLoss(MARGIN, distance=distance, reducer=reducer)
        miner = {
            "semi-hard": miners.TripletMarginMiner(MARGIN, "semihard", distance=distance),
            "batch-hard": miners.BatchHardMiner(distance=distance),
            "batch-all": lambda x, labels: None,  # the loss by itself takes all triplets
        }[case]
        return torch_step(lambda x, labels: loss(x, labels, miner(x, labels)), x, labels)

    return prepare


CONTESTANTS = {
    "kcatalog": kcatalog,
    "kcatalog, no XLA": lambda: kcatalog(jit_compile=False),
    "kcatalog, JAX": kcatalog,
    "kcatalog, PyTorch": kcatalog,
    "distances": lambda: kcatalog(floor=True),
    "TensorFlow Addons": tfa,
    "pytorch-metric-learning": pml,
}


# --- value and gradient, as each framework computes them ----------------------------------


def tensorflow_step(value, x, labels, jit_compile):
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def both(x, labels):
        with tf.GradientTape() as tape:
            tape.watch(x)
            v = value(x, labels)
        return v, tape.gradient(v, x)

    x, labels = tf.constant(x), tf.constant(labels)

    def step():
        v, gradient = both(x, labels)
        gradient.numpy()  # waits
        return v.numpy()

    return step


def jax_step(value, x, labels, jit_compile):
    import jax

    both = jax.jit(jax.value_and_grad(value))
    x, labels = jax.device_put((x, labels))
    return lambda: jax.block_until_ready(both(x, labels))[0]


def torch_step(value, x, labels, jit_compile=False):
    import torch

    x, labels = torch.from_numpy(x).requires_grad_(True), torch.from_numpy(labels)

    def step():
        v = value(x, labels)
        torch.autograd.grad(v, x)
        return v.detach()

    return step


# --- the job ------------------------------------------------------------------------------


def data(batch, classes):
    """Random embeddings, and shuffled labels of equally large classes."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, FEATURES)).astype("float32")
    return x, rng.permutation(np.arange(batch) % classes).astype("int64")


def memory():
    """Return the memory of this process in MiB, mapped files (code) apart."""
    with open("/proc/self/status") as file:
        found = re.findall(r"^(VmHWM|VmData|RssAnon|RssFile):\s+(\d+)", file.read(), re.MULTILINE)
    return {name: int(kib) / 1024 for name, kib in found}


def work(prepare, job):
    """Answers steps until told to stop."""
    step = prepare(job["case"], *data(job["batch"], job["classes"]))
    before = memory()
    most = int((before["VmData"] + job["memory_mib"]) * 2**20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    answer({"ready": True})
    while json.loads(sys.stdin.readline() or '"stop"') == "step":
        signal.alarm(job["timeout"])  # ends this process, whatever it is at
        begin, steps = time.perf_counter(), 0
        while not steps or time.perf_counter() - begin < TURN:
            value, steps = step(), steps + 1
        seconds = (time.perf_counter() - begin) / steps
        signal.alarm(0)
        now = memory()
        peak = now["VmHWM"] - now["RssFile"] - before["RssAnon"]
        answer({"seconds": seconds, "value": float(value), "peak_mib": max(peak, 0.0)})


OUT_OF_MEMORY = re.compile(r"memory|alloc|OOM|RESOURCE_EXHAUSTED", re.IGNORECASE)


def in_fork(prepare, job):
    """Run the job in a process of its own. Return why it failed, or None."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work(prepare, job)
            code = 0
        except Exception as e:
            print(f"{type(e).__name__}: {e}"[:2000], file=sys.stderr, flush=True)
            code = 3 if OUT_OF_MEMORY.search(f"{type(e).__name__} {e}") else 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGALRM:
        return "timeout"
    # C++ that gets no memory aborts; the system's own way is to kill
    if code in (3, -signal.SIGABRT, -signal.SIGKILL):
        return "out of memory"
    return f"failed ({code})" if code else None


def main():
    contestant, *packages = sys.argv[1:]
    prepare = CONTESTANTS[contestant]()
    answer({name: importlib.metadata.version(name) for name in packages})
    while line := sys.stdin.readline():
        answer({"failed": in_fork(prepare, json.loads(line))})


def answer(reply):
    print(json.dumps(reply), file=REPLIES, flush=True)


if __name__ == "__main__":
    REPLIES = os.fdopen(os.dup(1), "w")  # what a library prints goes to stderr instead
    os.dup2(2, 1)
    main()
