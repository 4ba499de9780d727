"""Writes what tensorflow-similarity's losses, layers, metrics and schedules compute.

README.md beside it names the environment.
"""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parent
NAME = "tensorflow_similarity"
package = types.ModuleType(NAME)  # its `__init__` needs much more than these parts do
package.__path__ = list(importlib.util.find_spec(NAME).submodule_search_locations)
sys.modules[NAME] = package

from tensorflow_similarity import classification_metrics, layers, losses, schedules  # noqa: E402

VERSION = importlib.metadata.version("tensorflow-similarity")
PEER = f"tensorflow-similarity {VERSION}, tensorflow {tf.__version__}"
COUNTS = {"tp": 7.0, "fp": 2.0, "tn": 11.0, "fn": 4.0}
METRICS = (
    "BinaryAccuracy",
    "F1Score",
    "FalsePositiveRate",
    "NegativePredictiveValue",
    "Precision",
    "Recall",
)


def main():
    rng = np.random.default_rng(43)
    labels = rng.permutation(np.repeat(np.arange(3), 4)).astype("int32")
    x = rng.normal(size=(12, 5)).astype("float32")
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    kernel = rng.normal(size=(5, 4)).astype("float32")
    layer = layers.MetricEmbedding(4, use_bias=False)
    layer.build(x.shape)
    layer.set_weights([kernel])
    rate = schedules.WarmupCosineDecay(0.3, total_steps=20, warmup_steps=5, alpha=0.1)
    values = {
        "x": x,
        "labels": labels,
        "kernel": kernel,
        "MetricEmbedding": layer(x),
        "WarmupCosineDecay": [rate(step) for step in range(24)],
        "CircleLoss": losses.CircleLoss(gamma=20.0, margin=0.3)(labels, x),
        "CircleLoss, default": losses.CircleLoss()(labels, x),
    }
    given = {k: tf.constant([v]) for k, v in COUNTS.items()}
    for name in METRICS:
        metric = getattr(classification_metrics, name)()
        values[name] = metric.compute(**given, count=int(sum(COUNTS.values())))
    arrays = {key: np.asarray(array) for key, array in values.items()}
    np.savez_compressed(FOLDER / "similarity_rows.npz", peer=np.array(PEER), **COUNTS, **arrays)
    for key, value in arrays.items():
        print(key, value.shape, value.ravel()[:3])


if __name__ == "__main__":
    main()
