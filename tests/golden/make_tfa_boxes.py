"""Writes golden values of TensorFlow Addons; README.md beside it names the environment."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"


def write(name, **arrays):
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def value_and_gradient(loss, y_true, y_pred):
    p = tf.constant(y_pred, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(p)
        values = loss(tf.constant(y_true, tf.float64), p)
    return values.numpy(), tape.gradient(values, p).numpy()


def giou():
    """Boxes (y_min, x_min, y_max, x_max): overlapping, nested, apart; no edges in common."""
    rng = np.random.default_rng(43)
    corner, size = rng.uniform(0, 4, (2, 24, 2)), rng.uniform(0.2, 4, (2, 24, 2))
    y_true, y_pred = float32(np.concatenate([corner, corner + size], axis=-1))
    y_true[0], y_pred[0] = [0, 0, 4, 5], [1, 2, 2, 3]
    loss, gradient = value_and_gradient(tfa.losses.giou_loss, y_true, y_pred)
    write("tfa_giou", y_true=y_true, y_pred=y_pred, loss=loss, gradient=gradient)


def pinball():
    """Losses for one quantile, and for one quantile a column."""
    rng = np.random.default_rng(47)
    y_true, y_pred = float32(rng.normal(size=(2, 10, 3)))
    taus, arrays = {"one": 0.2, "each": [0.1, 0.5, 0.9]}, {}
    for name, tau in taus.items():

        def loss(t, p, tau=tau):
            return tfa.losses.pinball_loss(t, p, tau=tf.constant(tau, tf.float64))

        value, gradient = value_and_gradient(loss, y_true, y_pred)
        arrays |= {f"{name}_tau": tau, f"{name}_loss": value, f"{name}_gradient": gradient}
    write("tfa_pinball", y_true=y_true, y_pred=y_pred, **arrays)


if __name__ == "__main__":
    giou()
    pinball()
