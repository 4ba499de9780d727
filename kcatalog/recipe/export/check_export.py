"""Program that runs an exported model as its users would and compares it with the live model.

It is started in a process of its own with the name of a runtime: "tensorflow", "litert" or "onnx".
Keras and kcatalog cannot be imported in it, nor TensorFlow by the other two runtimes, so an
export that depends on any of them fails the check.

The program reads jobs from standard input, one JSON object per line, and writes one object for each
to standard output: the result of `check_export`, or {"error": text}. A job has:

    model       the file, or the SavedModel's folder
    samples     an .npz file: `request`, and the live model's outputs for its first samples
    signature   the signature to call (default: "serving_default")
    states      names and shapes of the states, if the samples are read step by step
    outputs     an .npz file to write all outputs to (optional)

or, for TensorFlow, `model` and `warm_up`, a file of warm-up requests to run.
"""

import json
import statistics
import sys
import time

import numpy as np

BLOCKED = ("keras", "tf_keras", "kcatalog")
BATCH, TIMED_BATCH = 100, 32
AFTER = "next_"  # prefix of the states in the outputs


def main(runtime: str) -> None:
    """Import the runtime while the caller still exports, then do jobs until the input ends."""
    for name in BLOCKED if runtime == "tensorflow" else (*BLOCKED, "tensorflow"):
        sys.modules[name] = None  # importing it now raises ImportError
    load = {"tensorflow": saved_model, "litert": litert, "onnx": onnx}[runtime]()
    for line in sys.stdin:
        try:
            job = json.loads(line)
            answer = replay(**job) if "warm_up" in job else check_export(load, job)
        except Exception as e:  # each runtime has errors of its own
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


def check_export(load, job: dict) -> dict:
    """Return the largest difference, latencies, and the names, types and shapes of the tensors."""
    call, tensors = load(job["model"], job.get("signature", "serving_default"))
    with np.load(job["samples"]) as file:
        want = dict(file)
    request, states = want.pop("request"), job.get("states")
    fixed = all(shape[0] == 1 for _, shape in tensors["inputs"].values())
    if states:
        predict = _step(call, states, text="text" in tensors["inputs"])
        got = _in_batches(lambda x: _sequence(predict, x), request, 1 if fixed else BATCH)
        last, timed = {name: values[:, -1] for name, values in got.items()}, request[:, 0]
    else:
        (name,) = tensors["inputs"]

        def predict(x):
            return call(**{name: x})

        last = got = _in_batches(predict, request, 1 if fixed else BATCH)
        timed = request
    if "outputs" in job:
        np.savez(job["outputs"], **{name: got[name] for name in want})
    sizes = {"single": 1} if fixed else {"single": 1, f"batch_{TIMED_BATCH}": TIMED_BATCH}
    batches = {name: np.resize(timed, (size, *timed.shape[1:])) for name, size in sizes.items()}
    return {
        "largest_difference": difference(want, last),
        "compared_samples": min(len(request), len(next(iter(want.values())))),
        "latency_ms": {name: _milliseconds(predict, x) for name, x in batches.items()},
        **tensors,
    }


def difference(want: dict, got: dict) -> float:
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

        call.model = model  # TensorFlow frees a model once only its functions are referenced
        every = {n: described(s) for n, s in model.signatures.items()}
        return call, {"signatures": every, **every[name]}

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
    """Return names, types and shapes of inputs and outputs; None for an open axis."""

    def row(kind, shape):
        return [kind, [a if isinstance(a, int) else None for a in shape]]

    inputs, outputs = ({n: row(*about(t)) for n, t in side.items()} for side in sides)
    return {"inputs": inputs, "outputs": outputs}


def _in_batches(call, request, size: int) -> dict:
    parts = [call(request[i : i + size]) for i in range(0, len(request), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _step(call, states: dict, text: bool):
    """Return a function from characters and the previous outputs to the next outputs."""

    def step(codes, last=None):
        x = {"text": [chr(c) for c in codes]} if text else {"character": codes}
        zeros = {n: np.zeros((len(codes), *shape), "float32") for n, shape in states.items()}
        return call(**x, **({n: last[AFTER + n] for n in states} if last else zeros))

    return step


def _sequence(step, codes) -> dict:
    """Return the probabilities after each character."""
    answers = [None]
    for column in codes.T:
        answers.append(step(column, answers[-1]))
    return {"probabilities": np.stack([a["probabilities"] for a in answers[1:]], axis=1)}


def _milliseconds(call, x, seconds: float = 0.5, most: int = 100) -> float:
    """Return the median latency of up to `most` calls, as many as fit into `seconds`."""
    ends = []
    while len(ends) < 3 or (len(ends) <= most and ends[-1] < ends[0] + seconds):
        call(x)  # the first call may still compile; it is not timed
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
