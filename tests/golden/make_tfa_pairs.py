"""Writes golden values of TensorFlow Addons' losses of pairs; README.md names the environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"


def write(name, **arrays):
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def value_and_gradient(loss, pairs):
    pairs = tf.constant(pairs, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(pairs)
        value = loss(pairs[:, 0], pairs[:, 1])
    return value.numpy(), tape.gradient(value, pairs).numpy()


def contrastive():
    """Each pair's loss; the gradient is that of their sum, with respect to the embeddings."""
    rng = np.random.default_rng(61)
    pairs, same = float32(rng.normal(size=(12, 2, 4))), rng.integers(0, 2, size=12)
    loss = tfa.losses.ContrastiveLoss(margin=2.5, reduction="none")

    def each(a, b):
        return loss(tf.constant(same), tf.norm(a - b, axis=1))

    value, gradient = value_and_gradient(each, pairs)
    arrays = {"pairs": pairs, "same": same.astype("int32"), "margin": 2.5}
    write("tfa_contrastive", **arrays, value=value, gradient=gradient)


def n_pairs():
    """Means over the batch; one with a label for each pair, one with labels that come again."""
    rng = np.random.default_rng(67)
    pairs, labels = float32(rng.normal(size=(7, 2, 4))), [np.arange(7), [0, 1, 1, 2, 3, 2, 1]]
    arrays = {"pairs": pairs, "labels": np.asarray(labels, "int32")}
    results = []
    for y in arrays["labels"]:

        def loss(a, p, y=y):
            return tfa.losses.npairs_loss(tf.constant(y), tf.matmul(a, p, transpose_b=True))

        results.append(value_and_gradient(loss, pairs))
    multi_hot = float32(rng.integers(0, 2, size=(7, 3)))
    multi_hot[multi_hot.sum(1) == 0, 0] = 1  # without labels the peer's loss is NaN

    def loss(a, p):
        return tfa.losses.npairs_multilabel_loss(
            tf.constant(multi_hot), tf.matmul(a, p, transpose_b=True)
        )

    value, gradient = value_and_gradient(loss, pairs)
    write(
        "tfa_npairs",
        **arrays,
        value=[r[0] for r in results],
        gradient=[r[1] for r in results],
        multi_hot=multi_hot,
        multilabel_value=value,
        multilabel_gradient=gradient,
    )


if __name__ == "__main__":
    contrastive()
    n_pairs()
