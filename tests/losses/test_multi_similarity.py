import numpy as np
import pytest

from kcatalog import losses
from tests.golden.load import golden
from tests.losses.pairs import (
    batch,
    check_each,
    check_nothing_to_learn,
    check_value_and_gradient,
    distances,
    positives_and_negatives,
)


def reference(x, labels, alpha, beta, base, epsilon):
    """Section 4 of Wang et al., one anchor at a time: mine, then weigh."""
    S, each = 1 - distances(x, "cosine"), []
    for a in range(len(x)):
        P, N = positives_and_negatives(labels, a)
        if epsilon is not None:
            # both rules look at all pairs, not at what the other one leaves
            hardest_p = min((S[a, p] for p in P), default=np.inf)
            hardest_n = max((S[a, n] for n in N), default=-np.inf)
            P = [p for p in P if S[a, p] < hardest_n + epsilon]
            N = [n for n in N if S[a, n] > hardest_p - epsilon]
        positive = np.log(1 + sum(np.exp(-alpha * (S[a, p] - base)) for p in P)) / alpha
        negative = np.log(1 + sum(np.exp(beta * (S[a, n] - base)) for n in N)) / beta
        each.append(positive + negative)
    return each


@pytest.mark.parametrize("epsilon", [None, 0, 0.1, 0.6])
def test_reference(rng, epsilon):
    labels, x = batch(rng)
    loss = losses.MultiSimilarity(3.0, 20.0, 0.4, epsilon, reduction=None)
    check_each(loss, labels, x, reference(x, labels, 3.0, 20.0, 0.4, epsilon))


@pytest.mark.parametrize("which", ["x", "near"])
@pytest.mark.parametrize(("name", "epsilon"), [("", None), ("_mined", 0.1)])
def test_golden(which, name, epsilon):
    peer = golden("pml_in_batch")
    name = f"multi_similarity{name}_{which}"
    loss = losses.MultiSimilarity(epsilon=epsilon)
    value, gradient = peer[name], peer[f"{name}_gradient"]
    check_value_and_gradient(loss, peer["labels"], peer[which], value, gradient)


def test_golden_in_distances():
    peer = golden("tfsim_in_batch")
    loss = losses.MultiSimilarity(alpha=3.0, beta=20.0, base=0.4, epsilon=0.2)
    value, gradient = peer["multi_similarity"], peer["multi_similarity_gradient"]
    check_value_and_gradient(loss, peer["labels"], peer["x"], value, gradient)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_mining_needs_a_positive_and_a_negative(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.MultiSimilarity(), labels, x)


def test_pairs_in_order_are_left_out():
    x = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]], "float32")
    check_nothing_to_learn(losses.MultiSimilarity(), [0, 0, 1, 1], x)
