"""Writes the golden values of tensorflow-similarity; README.md beside it names the environment."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parent
NAME = "tensorflow_similarity"
package = types.ModuleType(NAME)  # its `__init__` needs much more than its losses do
package.__path__ = list(importlib.util.find_spec(NAME).submodule_search_locations)
sys.modules[NAME] = package

from tensorflow_similarity.losses import MultiSimilarityLoss, SoftNearestNeighborLoss  # noqa: E402

VERSION = importlib.metadata.version("tensorflow-similarity")
PEER = f"tensorflow-similarity {VERSION}, tensorflow {tf.__version__}"


def main():
    """Four classes of four."""
    rng = np.random.default_rng(41)
    labels = rng.permutation(np.repeat(np.arange(4), 4)).astype("int32")
    x = (0.5 * rng.normal(size=(16, 8)) + np.eye(4, 8)[labels]).astype("float32")
    arrays = {"x": x, "labels": labels}
    parts = {
        "soft_nearest_neighbor": SoftNearestNeighborLoss(temperature=2.0),
        "multi_similarity": MultiSimilarityLoss(alpha=3.0, beta=20.0, epsilon=0.2, lmda=0.4),
    }
    for name, loss in parts.items():
        e = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(e)
            # the peer's cosine distance leaves it to its user to normalize
            given = tf.math.l2_normalize(e, axis=1) if name == "multi_similarity" else e
            value = loss(tf.constant(labels), given)
        arrays[name], arrays[f"{name}_gradient"] = value, tape.gradient(value, e)
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / "tfsim_in_batch.npz", peer=np.array(PEER), **arrays)


if __name__ == "__main__":
    main()
