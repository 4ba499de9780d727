"""Writes the golden values of TensorFlow Addons' batch-hard loss; see README.md."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
DISTANCES = ["L2", "squared-L2", "angular"]


def triplet_hard():
    """Value and gradient per distance, hard and soft; no sample lacks a positive or a negative."""
    rng = np.random.default_rng(17)
    labels = rng.permutation(np.repeat(np.arange(4), [2, 3, 5, 6]))
    x = rng.normal(size=(16, 8)).astype("float32")
    value = np.zeros((len(DISTANCES), 2), "float32")
    gradient = np.zeros((*value.shape, *x.shape), "float32")
    for d, distance in enumerate(DISTANCES):
        for soft in (0, 1):
            loss = tfa.losses.TripletHardLoss(0.7, soft=bool(soft), distance_metric=distance)
            e = tf.constant(x)
            with tf.GradientTape() as tape:
                tape.watch(e)
                result = loss(tf.constant(labels), e)
            value[d, soft], gradient[d, soft] = result, tape.gradient(result, e)
    np.savez_compressed(
        FOLDER / "tfa_triplet_hard.npz",
        peer=np.array(PEER),
        x=x,
        labels=labels.astype("int32"),
        margin=np.float32(0.7),
        distance=np.array(DISTANCES),
        value=value,
        gradient=gradient,
    )


if __name__ == "__main__":
    triplet_hard()
