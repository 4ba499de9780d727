"""Shared helpers of tests of retrieval metrics."""

import numpy as np
from keras import ops

from kcatalog.conformance.backend import as_numpy
from tests.golden.load import golden
from tests.ops.test_retrieval import reference_scores


def streamed(metric, x, labels, weights=None, batch=8):
    """The result after updating by batches."""
    for start in range(0, len(x), batch):
        rows = slice(start, start + batch)
        w = None if weights is None else weights[rows]
        metric.update_state(labels[rows], ops.convert_to_tensor(x[rows]), sample_weight=w)
    return float(as_numpy(metric.result()))


def differences_from_reference(score, make, rng, k=1):
    """Results of `make(distance)` less those of plain loops: with and without weights."""
    x, labels = rng.normal(size=(32, 4)).astype("float32"), rng.integers(0, 9, 32)
    weights = rng.uniform(size=32).astype("float32")
    return [
        streamed(make(distance), x, labels, w, batch)
        - reference_scores(x, labels, k, distance, w)[score]
        for distance, w, batch in (("euclidean", None, 8), ("cosine", weights, 16))
    ]


def peers_score(name, distance):
    """pytorch-metric-learning's score of a set against itself, with embeddings and labels."""
    peer = golden("pml_retrieval")
    of_distance = {"cosine": "cosine", "euclidean": "l2"}[distance]
    scores = dict(zip(peer["score"], peer[f"self_{of_distance}_per_sample"], strict=True))
    return scores[name], peer["x"], peer["labels"]


def collapsed(metric, classes=2, samples=32):
    """The result where all samples are at one point."""
    return streamed(metric, np.ones((samples, 3), "float32"), np.arange(samples) % classes)
