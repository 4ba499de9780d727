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


def reference(D, labels, margin):
    """Equation 4 of Song et al., one pair at a time; the sum of each sample, and the pairs."""
    sums, pairs = np.zeros(len(D)), 0
    for i in range(len(D)):
        positives, negatives = positives_and_negatives(labels, i)
        for j in positives:
            total = sum(np.exp(margin - D[i, k]) for k in negatives)
            total += sum(np.exp(margin - D[j, k]) for k in negatives)
            sums[i] += max(0, np.log(total) + D[i, j]) ** 2 / 2
            pairs += 1
    return sums, pairs


@pytest.mark.parametrize(
    ("name", "normalize"),
    [("euclidean", False), ("squared_euclidean", True), ("cosine", False)],
)
def test_reference(rng, name, normalize):
    labels, x = batch(rng)
    sums, pairs = reference(distances(x, name, normalize), labels, 1.5)
    loss = losses.LiftedStructure(1.5, name, normalize, reduction=None)
    check_each(loss, labels, x, sums * 11 / pairs)


@pytest.mark.parametrize("which", ["x", "near"])
def test_golden(which):
    peer = golden("pml_in_batch")
    value, gradient = (peer[f"lifted_structure_{which}{end}"] for end in ("", "_gradient"))
    loss = losses.LiftedStructure(1.5)
    check_value_and_gradient(loss, peer["labels"], peer[which], value, gradient)


def test_golden_of_addons():
    peer = golden("tfa_lifted_structure")
    loss = losses.LiftedStructure(1.5)
    check_value_and_gradient(loss, peer["labels"], peer["x"], peer["value"], peer["gradient"])


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.LiftedStructure(), labels, x)


def test_ends_alike_share_the_gradient():
    """Both ends are as far from their negatives: `log(exp(R) + exp(R))` has two equal slopes."""
    x = np.array([[0.0], [1.0], [-1.0], [2.0]], "float32")
    loss = losses.LiftedStructure(2.0)
    weights = np.array([1.0, 0, 0, 0], "float32")
    labels = np.array([0, 0, 1, 1])
    _, (gradient,) = value_and_gradients(lambda x: loss(labels, x, weights), [x])
    np.testing.assert_allclose(gradient[0], -gradient[1], rtol=1e-5)
    np.testing.assert_allclose(gradient[2], -gradient[3], rtol=1e-5)
