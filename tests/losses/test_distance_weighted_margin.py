import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden
from tests.losses.pairs import (
    batch,
    check_each,
    check_nothing_to_learn,
    check_value_and_gradient,
    distances,
    positives_and_negatives,
)


def probabilities(D, labels, features, margin, beta, cutoff):
    """Wu et al.: the inverse density of distances on the sphere, for each anchor and negative."""
    w = np.zeros_like(D)
    for a in range(len(D)):
        for n in positives_and_negatives(labels, a)[1]:
            if D[a, n] < beta + margin:
                d = max(D[a, n], cutoff)
                w[a, n] = 1 / (d ** (features - 2) * (1 - d**2 / 4) ** ((features - 3) / 2))
    return w / np.maximum(w.sum(1, keepdims=True), 1e-300)


def reference(D, labels, w, margin, beta):
    """The sum of each anchor over all draws, by their probabilities, and the terms above 0."""
    sums, terms = np.zeros(len(D)), 0.0
    for a in range(len(D)):
        positives, negatives = positives_and_negatives(labels, a)
        for p in positives:
            positive = max(0.0, margin + D[a, p] - beta)
            sums[a] += positive
            terms += positive > 0
            for n in negatives:
                negative = max(0.0, margin + beta - D[a, n])
                sums[a] += w[a, n] * negative
                terms += w[a, n] * (negative > 0)
    return sums, terms


@pytest.mark.parametrize("features", [2, 6, 128])
def test_reference(rng, features):
    labels, _ = batch(rng)
    x = rng.normal(size=(11, features)).astype("float32")
    D = distances(x, normalize=True)
    w = probabilities(D, labels, features, 0.3, 1.1, 0.4)
    sums, terms = reference(D, labels, w, 0.3, 1.1)
    loss = losses.DistanceWeightedMargin(0.3, 1.1, cutoff=0.4, reduction=None)
    check_each(loss, labels, x, sums * 11 / terms)


@pytest.mark.parametrize("which", ["x", "near"])
def test_golden_of_all_pairs(which):
    """The peer takes all triplets; classes are equally large, so that it weighs pairs as we do."""
    peer = golden("pml_in_batch")
    value, gradient = (peer[f"margin_{which}{end}"] for end in ("", "_gradient"))
    loss = losses.DistanceWeightedMargin(sampling="uniform")
    check_value_and_gradient(loss, peer["labels"], peer[which], value, gradient)


@pytest.mark.parametrize("which", ["x", "near"])
def test_golden_probabilities(rng, which):
    """The peer's miner draws with these; the expectation over its draws is our loss."""
    peer = golden("pml_in_batch")
    x, labels, w = peer[which], peer["labels"], peer[f"drawn_{which}"]

    def mean_over_draws(x):
        sums, terms = reference(distances(x, normalize=True), labels, w, 0.2, 1.2)
        return sums.sum() / terms

    loss = losses.DistanceWeightedMargin()
    value, (gradient,) = value_and_gradients(lambda x: loss(labels, x), [x])
    np.testing.assert_allclose(value, mean_over_draws(x), rtol=1e-5)
    step = 1e-6 * rng.normal(size=x.shape)  # the draw itself has no gradient
    slope = (mean_over_draws(x + step) - mean_over_draws(x - step)) / 2
    np.testing.assert_allclose(np.sum(gradient * step), slope, rtol=1e-4)


@pytest.mark.parametrize("labels", [[3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.DistanceWeightedMargin(), labels, x)


def test_pairs_beyond_the_margin_are_done():
    x = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]], "float32")
    check_nothing_to_learn(losses.DistanceWeightedMargin(), [0, 0, 1, 1], x)
