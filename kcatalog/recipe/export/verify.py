"""Runs an exported model as its users would, and compares it with the live model's answers.

This file is a program of its own, started in a clean process with the name of a runtime:
"tensorflow", "litert" or "onnx". Keras and kcatalog are out of its reach, and TensorFlow too
for the other two, so an export that leans on any of them cannot pass.

It reads jobs from its standard input, an object per line, and writes an object for each to its
standard output: what `examine` found, or {"error": text}. A job says:

    model       the file, or the SavedModel's folder
    samples     an .npz file: `request`, and what the live model answers to its first samples
    signature   which one to call; "serving_default" where it is left out
    states      names and shapes of states: the samples are then read step by step
    single      whether the model takes one sample at a time
    outputs     an .npz file to write all answers to, if any

or, for TensorFlow, `model` and `warm_up`, a file of warm-up requests to run.
"""

import json
import statistics
import sys
import time

import numpy as np

OUT_OF_REACH = ("keras", "tf_keras", "kcatalog")
BATCH, MANY, AFTER = 100, 32, "next_"  # samples at once, or timed; how states are called after


def main(runtime: str) -> None:
    """Import the runtime while the caller still exports; then do jobs until there are no more."""
    for name in OUT_OF_REACH if runtime == "tensorflow" else (*OUT_OF_REACH, "tensorflow"):
        sys.modules[name] = None  # importing it now raises ImportError
    load = {"tensorflow": saved_model, "litert": litert, "onnx": onnx}[runtime]()
    for line in sys.stdin:
        try:
            job = json.loads(line)
            answer = replay(**job) if "warm_up" in job else examine(load, job)
        except Exception as e:  # each runtime has errors of its own
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


def examine(load, job: dict) -> dict:
    """Largest difference, latencies, and what the model says of itself."""
    call, facts = load(job["model"], job.get("signature", "serving_default"))
    with np.load(job["samples"]) as file:
        want = {key: file[key] for key in file.files if key != "request"}
        request = file["request"]
    size = 1 if job.get("single") else BATCH
    if job.get("states"):
        one = _step(call, job["states"], text="text" in facts["inputs"])
        got = _in_turn(lambda x: _sequence(one, x), request, size)
        last = {name: values[:, -1] for name, values in got.items()}
    else:
        (name,) = facts["inputs"]

        def one(x):
            return call(**{name: x})

        last = got = _in_turn(one, request, size)
    if "outputs" in job:
        np.savez(job["outputs"], **{k: got[k] for k in want})
    timed = request[:, 0] if job.get("states") else request
    sizes = {"single": 1} if job.get("single") else {"single": 1, f"batch_{MANY}": MANY}
    batches = {name: np.resize(timed, (size, *timed.shape[1:])) for name, size in sizes.items()}
    return {
        "largest_difference": difference(want, last),
        "compared_samples": min(len(request), len(next(iter(want.values())))),
        "latency_ms": {name: _milliseconds(one, x) for name, x in batches.items()},
        **facts,
    }


def difference(want: dict, got: dict) -> float:
    """The largest difference between any expected number and the exported model's.

    Measured against the size of the largest number of that output, if that is above 1.
    """
    largest = 0.0
    for key in want:
        answer = got[key][: len(want[key])]
        if want[key].shape != answer.shape:
            raise ValueError(f"{key} has shape {answer.shape}, not {want[key].shape}")
        if not np.isfinite(answer).all():
            raise ValueError(f"{key} is not finite")
        size = max(1.0, np.max(np.abs(want[key])))
        largest = max(largest, float(np.max(np.abs(want[key] - answer)) / size))
    return largest


def saved_model():
    import tensorflow as tf

    def described(signature):
        sides = signature.structured_input_signature[1], signature.structured_outputs
        return _described(sides, lambda t: (t.dtype.name, t.shape))

    def load(folder, name):
        model = tf.saved_model.load(folder)
        signature = model.signatures[name]

        def call(**inputs):
            tensors = {k: tf.constant(v) for k, v in inputs.items()}
            return {k: v.numpy() for k, v in signature(**tensors).items()}

        call.model = model  # TensorFlow lets go of a model whose functions alone are held
        facts = {n: described(s) for n, s in model.signatures.items()}
        return call, {"signatures": facts, **facts[name]}

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


def _described(sides, about) -> dict:
    """Inputs and outputs: names, types and shapes, None where any size will do."""

    def row(kind, shape):
        return [kind, [a if isinstance(a, int) else None for a in shape]]

    inputs, outputs = ({n: row(*about(t)) for n, t in side.items()} for side in sides)
    return {"inputs": inputs, "outputs": outputs}


def _in_turn(call, request, size: int) -> dict:
    """Answers to all requests, `size` at a time."""
    parts = [call(request[i : i + size]) for i in range(0, len(request), size)]
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def _step(call, states: dict, text: bool):
    """A function from characters, and the last answer, to the next one."""

    def step(codes, last=None):
        x = {"text": [chr(c) for c in codes]} if text else {"character": codes}
        zeros = {n: np.zeros((len(codes), *shape), "float32") for n, shape in states.items()}
        return call(**x, **({n: last[AFTER + n] for n in states} if last else zeros))

    return step


def _sequence(step, codes) -> dict:
    """The probabilities after each character."""
    answers = [None]
    for column in codes.T:
        answers.append(step(column, answers[-1]))
    return {"probabilities": np.stack([a["probabilities"] for a in answers[1:]], axis=1)}


def _milliseconds(call, x, seconds: float = 0.5, most: int = 100) -> float:
    """The median of single calls, up to `most` or as many as fit into `seconds`."""
    ends = []
    while len(ends) < 3 or (len(ends) <= most and ends[-1] < ends[0] + seconds):
        call(x)  # the first one, which may still compile, is not timed
        ends.append(time.perf_counter())
    return round(1000 * statistics.median(np.diff(ends)), 4)


def replay(model: str, warm_up: str) -> dict:
    """Run every warm-up request as TensorFlow Serving would, and count them."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    loaded, count = tf.saved_model.load(model), 0
    for record in tf.data.TFRecordDataset(warm_up):
        asked = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {n: tf.constant(tf.make_ndarray(t)) for n, t in asked.inputs.items()}
        loaded.signatures[asked.model_spec.signature_name](**inputs)
        count += 1
    return {"warm_up_requests": count}


if __name__ == "__main__":
    main(sys.argv[1])
