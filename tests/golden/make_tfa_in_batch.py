"""Writes the golden values of TensorFlow Addons' LiftedStructLoss; README.md beside it says how."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"


def main():
    """Classes of 5, 3, 2 and 1."""
    rng = np.random.default_rng(37)
    x = rng.normal(size=(11, 6)).astype("float32")
    labels = rng.permutation(np.repeat(np.arange(4), (5, 3, 2, 1))).astype("int32")
    e = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(e)
        value = tfa.losses.LiftedStructLoss(margin=1.5)(tf.constant(labels), e)
    found = {"value": value.numpy(), "gradient": tape.gradient(value, e).numpy()}
    path = FOLDER / "tfa_lifted_structure.npz"
    np.savez_compressed(path, peer=np.array(PEER), x=x, labels=labels, **found)


if __name__ == "__main__":
    main()
