"""Check of exported models in processes that have a runtime and nothing of ours.

`Runtimes` starts this module as a program with the name of a runtime: "tensorflow", "litert" or
"onnx". Keras and kcatalog cannot be imported in it, nor TensorFlow by the other two runtimes, so
an export that depends on any of them fails the check.

The program reads jobs from standard input, one JSON object per line, and writes one object for each
to standard output: the result of `check_export`, or {"error": text}. A job has:

    model       the file, or the SavedModel's folder
    samples     an .npz file: `request`, and the live model's outputs for its first samples
    signature   the signature to call (default: "serving_default")
    states      names and shapes of the states, if the samples are read step by step
    outputs     an .npz file to write all outputs to (optional)
    warm_up     a file of TensorFlow Serving's warm-up requests to run (optional)
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

BLOCKED = ("keras", "tf_keras", "kcatalog")
BATCH, TIMED_BATCH = 100, 32
ALONE = 8  # samples that are also read without batch-mates
AFTER = "next_"  # prefix of the states in the outputs


class CheckFailed(Exception):  # noqa: N818 - the caller decides whether it is an error
    """Reason why a check could not be completed."""


class Runtimes(contextlib.AbstractContextManager):
    """Processes by runtime. Each starts when it is first needed and ends with the `with` block."""

    def __init__(self):
        self.running: dict[str, subprocess.Popen] = {}

    def start(self, runtime: str) -> subprocess.Popen:
        """Return the process of a runtime. Started early, it imports while the caller works."""
        if runtime not in self.running:
            self.running[runtime] = subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-P", __file__, runtime],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
            )
        return self.running[runtime]

    def check(self, runtime: str, **job) -> dict[Any, Any]:
        """Run a job of `check_export` and return its result.

        Raises:
            CheckFailed: the job raised an error or ended its process. The next job of this
                runtime gets a new process.
        """
        job = {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in job.items()}
        process = self.start(runtime)
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        except (OSError, ValueError) as e:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)  # for the exit code of a process that crashed
            _end(self.running.pop(runtime))
            raise CheckFailed(f"the checking process ended with code {process.returncode}") from e
        if "error" in answer:
            raise CheckFailed(answer["error"])
        return answer

    def __exit__(self, *_) -> None:
        for process in self.running.values():
            _end(process)


def _end(process: subprocess.Popen) -> None:
    process.kill()
    with contextlib.suppress(BrokenPipeError), process:  # unread input is lost
        pass


# --- the program ---------------------------------------------------------------------------


def main(runtime: str) -> None:
    """Import the runtime while the caller still exports, then do jobs until the input ends."""
    for name in BLOCKED if runtime == "tensorflow" else (*BLOCKED, "tensorflow"):
        sys.modules[name] = None  # importing it now raises ImportError
    load = {"tensorflow": saved_model, "litert": litert, "onnx": onnx}[runtime]()
    for line in sys.stdin:
        try:
            answer = check_export(load, json.loads(line))
        except Exception as e:  # each runtime has errors of its own
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


def check_export(load, job: dict[Any, Any]) -> dict[Any, Any]:
    """Return the largest difference from the live model and between a sample in a batch and alone,
    latencies, and the names, types and shapes of the tensors."""
    call, tensors = load(job["model"], job.get("signature", "serving_default"))
    with np.load(job["samples"]) as file:
        want = dict(file)
    request = want.pop("request")
    fixed = all(shape[0] == 1 for _, shape in tensors["inputs"].values())
    if states := job.get("states"):
        predict, timed = _reader(call, states, text="text" in tensors["inputs"]), request[:, :1]
    else:
        (name,) = tensors["inputs"]
        predict, timed = lambda x: call(**{name: x}), request
    batch = 1 if fixed else BATCH
    parts = [predict(request[i : i + batch]) for i in range(0, len(request), batch)]
    got = {name: np.concatenate([part[name] for part in parts]) for name in want}
    if "outputs" in job:
        np.savez(job["outputs"], **got)
    alone = [] if fixed else [predict(request[i : i + 1]) for i in range(min(ALONE, len(request)))]
    last = {name: values[:, -1] for name, values in got.items()} if states else got
    sizes = {"single": 1} if fixed else {"single": 1, f"batch_{TIMED_BATCH}": TIMED_BATCH}
    batches = {name: np.resize(timed, (size, *timed.shape[1:])) for name, size in sizes.items()}
    answer = {
        "largest_difference": difference(want, last),
        "compared_samples": min(len(request), len(next(iter(want.values())))),
        "latency_ms": {name: _milliseconds(predict, x) for name, x in batches.items()},
        **tensors,
    }
    if alone:
        alone = {name: np.concatenate([part[name] for part in alone]) for name in want}
        beside = {name: values[: len(alone[name])] for name, values in got.items()}
        answer["difference_alone"] = difference(beside, alone)
    if "warm_up" in job:
        answer["warm_up_requests"] = replay(call.model, job["warm_up"])
    return answer


def difference(want: dict[Any, Any], got: dict[Any, Any]) -> float:
    """Return the largest difference between the live model's outputs and the exported model's.

    Where an output has numbers above 1, its differences are relative to the largest of them.
    """
    largest = 0.0
    for name, wanted in want.items():
        values = got[name][: len(wanted)]
        if wanted.shape != values.shape:
            raise ValueError(f"{name} has shape {values.shape}, not {wanted.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite")
        size = max(1.0, np.max(np.abs(wanted)))
        largest = max(largest, float(np.max(np.abs(wanted - values)) / size))
    return largest


def numpy_function(model, signature: str):
    """Return a SavedModel's signature as a function from arrays to arrays."""
    import tensorflow as tf

    function = model.signatures[signature]

    def call(**inputs) -> dict[str, np.ndarray]:
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        return {k: v.numpy() for k, v in function(**tensors).items()}

    call.model = model  # TensorFlow frees a model once only its functions are referenced
    call.inputs = function.structured_input_signature[1]
    call.outputs = function.structured_outputs
    return call


def saved_model():
    import tensorflow as tf

    def load(folder, name):
        model = tf.saved_model.load(folder)
        calls = {n: numpy_function(model, n) for n in model.signatures}
        every = {
            n: _described((c.inputs, c.outputs), lambda t: (t.dtype.name, t.shape))
            for n, c in calls.items()
        }
        return calls[name], {"signatures": every, **every[name]}

    return load


def litert():
    from ai_edge_litert.interpreter import Interpreter

    def load(file, _):
        runner = Interpreter(model_path=file).get_signature_runner()
        sides = runner.get_input_details(), runner.get_output_details()
        return runner, _described(sides, lambda d: (d["dtype"].__name__, d["shape"].tolist()))

    return load


def onnx():
    import onnxruntime

    def load(file, _):
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        sides = [{n.name: n for n in s} for s in (session.get_inputs(), session.get_outputs())]

        def call(**inputs):
            return dict(zip(sides[1], session.run(list(sides[1]), inputs), strict=True))

        return call, _described(sides, lambda n: (n.type, n.shape))

    return load


def _described(sides, about) -> dict[Any, Any]:
    """Return names, types and shapes of inputs and outputs; None for an open axis."""

    def row(kind, shape):
        return [kind, [a if isinstance(a, int) else None for a in shape]]

    inputs, outputs = ({n: row(*about(t)) for n, t in side.items()} for side in sides)
    return {"inputs": inputs, "outputs": outputs}


def _reader(call, states: dict[Any, Any], text: bool):
    """Return a function from codes (batch, steps) to the probabilities after each character."""

    def read(codes):
        last = {n: np.zeros((len(codes), *shape), "float32") for n, shape in states.items()}
        each = []
        for column in codes.T:
            x = {"text": [chr(c) for c in column]} if text else {"character": column}
            outputs = call(**x, **last)
            last = {n: outputs[AFTER + n] for n in states}
            each.append(outputs["probabilities"])
        return {"probabilities": np.stack(each, axis=1)}

    return read


def _milliseconds(call, x, seconds: float = 0.5, most: int = 100) -> float:
    """Return the median latency of up to `most` calls, as many as fit into `seconds`."""
    ends = []
    while len(ends) < 3 or (len(ends) <= most and ends[-1] < ends[0] + seconds):
        call(x)  # the first call may still compile; it is not timed
        ends.append(time.perf_counter())
    return round(1000 * statistics.median(np.diff(ends)), 4)


def replay(model, warm_up: str) -> int:
    """Run every warm-up request as TensorFlow Serving would, and count them."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    for record in tf.data.TFRecordDataset(warm_up):
        asked = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {n: tf.constant(tf.make_ndarray(t)) for n, t in asked.inputs.items()}
        model.signatures[asked.model_spec.signature_name](**inputs)
        count += 1
    return count


if __name__ == "__main__":
    main(sys.argv[1])
