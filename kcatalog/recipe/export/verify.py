"""Runs an exported model as a server would, and compares it with the live model's answers.

This file is a program of its own, started in a clean process: plain TensorFlow, on the CPU,
with Keras and kcatalog out of reach, so a SavedModel that leans on either cannot pass.

It reads a job from its standard input, {"model": folder, "samples": file}, and writes
{"difference": number} or {"error": text} to its standard output.
"""

import json
import os
import sys

OUT_OF_REACH = ("keras", "tf_keras", "kcatalog")


def main() -> None:
    """Import TensorFlow while the caller still exports; then wait for the job."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    for name in OUT_OF_REACH:
        sys.modules[name] = None  # importing it now raises ImportError
    import tensorflow as tf

    line = sys.stdin.readline()
    if line:  # else the caller gave up
        job = json.loads(line)
        try:
            answer = {"difference": compare(tf, job["model"], job["samples"])}
        except (OSError, ValueError, KeyError, tf.errors.OpError) as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


def compare(tf, model: str, samples: str) -> float:
    """The largest difference between any expected number and the exported model's.

    Measured against the size of the largest number of that output, if that is above 1.
    """
    import numpy as np

    signature = tf.saved_model.load(model).signatures["serving_default"]
    name = next(iter(signature.structured_input_signature[1]))
    largest = 0.0
    with np.load(samples) as file:
        outputs = signature(**{name: tf.constant(file["request"])})
        for key in file.files:
            if key != "request":
                want, got = file[key], outputs[key].numpy()
                if want.shape != got.shape:
                    raise ValueError(f"{key} has shape {got.shape}, not {want.shape}")
                difference = np.max(np.abs(want - got)) / max(1.0, np.max(np.abs(want)))
                largest = max(largest, float(difference))
                if not np.isfinite(difference):
                    raise ValueError(f"{key} is not finite")
    return largest


if __name__ == "__main__":
    main()
