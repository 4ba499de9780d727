"""Shared helpers of the tests of losses over pairs."""

import numpy as np

from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.triplets import distance


def batch(rng):
    """Classes of 5, 3, 2 and 1, shuffled, and their embeddings."""
    labels = rng.permutation(np.repeat(np.arange(4), (5, 3, 2, 1)))
    return labels, rng.normal(size=(11, 6)).astype("float32")


def distances(x, name="euclidean", normalize=False):
    """All distances by the book, in float64."""
    x = np.asarray(x, "float64")
    if normalize:
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.array([[distance(a, b, name) for b in x] for a in x])


def positives_and_negatives(labels, a):
    """Indices of the others of `a`'s class, and of all other classes."""
    every = range(len(labels))
    positives = [j for j in every if labels[j] == labels[a] and j != a]
    return positives, [j for j in every if labels[j] != labels[a]]


def check_value_and_gradient(loss, labels, x, value, gradient):
    """The loss gives what a peer gives."""
    ours, (slope,) = value_and_gradients(lambda x: loss(labels, x), [x])
    np.testing.assert_allclose(ours, value, rtol=1e-5)
    atol = 1e-5 * np.max(np.abs(gradient))
    np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=atol)


def check_each(loss, labels, x, expected):
    """Unreduced, the loss gives what is expected of each sample."""
    np.testing.assert_allclose(as_numpy(loss(labels, x)), expected, rtol=1e-4, atol=1e-5)


def check_nothing_to_learn(loss, labels, x):
    """Value and gradient are exactly 0."""
    value, (gradient,) = value_and_gradients(lambda x: loss(np.array(labels), x), [x])
    assert value == 0
    assert np.all(gradient == 0)
