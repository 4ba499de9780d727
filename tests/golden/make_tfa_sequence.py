"""Writes TensorFlow Addons' golden values of sequence, kappa and sparsemax losses."""

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


def value_and_gradient(loss, y_pred):
    """The loss, and the gradient of its sum."""
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_pred)
    return value, tape.gradient(value, y_pred)


def sparsemax():
    """Per-sample losses for soft targets; the gradient is that of their sum."""
    rng = np.random.default_rng(31)
    scores = float32(2 * rng.normal(size=(9, 5)))
    targets = float32(rng.dirichlet(np.ones(5), 9))
    targets[:3] = np.eye(5)[:3]
    targets[3] = [0.5, 0.5, 0, 0, 0]
    loss = tfa.losses.SparsemaxLoss(reduction="none")
    each, gradient = value_and_gradient(lambda z: loss(targets, z), scores)
    write("tfa_sparsemax", scores=scores, targets=targets, loss=each, gradient=gradient)


def weighted_kappa():
    """Value and gradient, per weightage, of a batch of probabilities."""
    rng = np.random.default_rng(37)
    probabilities = float32(rng.dirichlet(np.ones(5), 10))
    labels = rng.permutation(np.arange(10) % 5)
    one_hot = float32(np.eye(5)[labels])
    results = {}
    for weightage in ("linear", "quadratic"):
        loss = tfa.losses.WeightedKappaLoss(5, weightage)
        value, gradient = value_and_gradient(lambda p, f=loss: f(one_hot, p), probabilities)
        results |= {f"{weightage}_loss": value, f"{weightage}_gradient": gradient}
    write("tfa_weighted_kappa", probabilities=probabilities, labels=labels, **results)


def sequence():
    """Mean over all steps that count, over each sequence's, and over each time step's."""
    rng = np.random.default_rng(41)
    logits = float32(2 * rng.normal(size=(5, 4, 6)))
    labels = rng.integers(0, 6, size=(5, 4))
    weights = float32(np.arange(4) < np.array([4, 2, 1, 0, 3])[:, None])
    fractions = float32(weights * rng.uniform(0.5, 2.0, size=(5, 4)))
    results = {}
    for name, w in (("mask", weights), ("weights", fractions)):
        for over, steps, batch in (("all", 1, 1), ("each_sequence", 1, 0), ("each_step", 0, 1)):
            loss = tfa.seq2seq.SequenceLoss(
                average_across_timesteps=bool(steps),
                average_across_batch=bool(batch),
                sum_over_timesteps=False,
                sum_over_batch=False,
            )
            value, gradient = value_and_gradient(lambda s, f=loss, w=w: f(labels, s, w), logits)
            results |= {f"{name}_{over}": value, f"{name}_{over}_gradient": gradient}
    write("tfa_sequence", logits=logits, labels=labels, mask=weights, weights=fractions, **results)


if __name__ == "__main__":
    sparsemax()
    weighted_kappa()
    sequence()
