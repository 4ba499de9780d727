"""Writes the golden values of TensorFlow Addons' metrics; README.md beside it has the versions."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
CLASSES = 4


def result(metric, *args, **kwargs):
    metric.update_state(*args, **kwargs)
    return np.asarray(metric.result())


def data():
    rng = np.random.default_rng(29)
    labels = rng.choice(CLASSES, size=40, p=(0.5, 0.3, 0.15, 0.05)).astype("int32")
    scores = rng.normal(size=(40, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    return {
        "labels": labels,
        "scores": scores.astype("float32"),
        "probability": rng.uniform(size=40).astype("float32"),
        "weights": rng.integers(1, 5, 40).astype("float32"),
        "several": rng.integers(0, 2, (40, CLASSES)).astype("int32"),
        "named": rng.integers(0, 2, (40, CLASSES)).astype("int32"),
        "grades": rng.integers(0, 9, 40).astype("float32"),
        "guesses": rng.integers(0, 9, 40).astype("float32"),
    }


def values(d):
    one_hot = np.eye(CLASSES, dtype="float32")[d["labels"]]
    for weightage in (None, "linear", "quadratic"):
        for name, w in (("", None), ("_weighted", d["weights"])):
            kappa = tfa.metrics.CohenKappa(CLASSES, weightage=weightage, sparse_labels=True)
            value = result(kappa, d["labels"], d["scores"], sample_weight=w)
            yield f"kappa_{weightage}{name}", value
    yield "kappa_binary", result(tfa.metrics.CohenKappa(2), d["labels"] % 2, d["probability"])

    matthews = tfa.metrics.MatthewsCorrelationCoefficient
    yield "matthews", result(matthews(CLASSES), one_hot, d["scores"])
    weighted = result(matthews(CLASSES), one_hot, d["scores"], sample_weight=d["weights"])
    yield "matthews_weighted", weighted

    hamming = tfa.metrics.HammingLoss
    yield "hamming_multiclass", result(hamming("multiclass"), one_hot, d["scores"])
    several = hamming("multilabel", threshold=0.7)
    yield "hamming_multilabel", result(several, d["several"], d["scores"])

    matrix = tfa.metrics.MultiLabelConfusionMatrix(CLASSES)
    yield "confusion", result(matrix, d["several"], d["named"])

    for name in ("SpearmansRank", "KendallsTauB", "KendallsTauC"):
        metric = getattr(tfa.metrics, name)(0, 9, 0, 9, 10, 10)  # a bin for each whole number
        yield name, result(metric, d["grades"], d["guesses"])


if __name__ == "__main__":
    inputs = data()
    np.savez_compressed(
        FOLDER / "tfa_metrics.npz", peer=np.array(PEER), **inputs, **dict(values(inputs))
    )
