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


def reference(D, labels, margin):
    """The generalized lifted loss of Hermans et al., one anchor at a time; None without a pair."""
    for a in range(len(D)):
        P, N = positives_and_negatives(labels, a)
        if not P or not N:
            yield None
            continue
        positive = np.log(sum(np.exp(D[a, p]) for p in P))
        negative = np.log(sum(np.exp(margin - D[a, n]) for n in N))
        yield max(0.0, positive + negative)


@pytest.mark.parametrize(
    ("name", "normalize"),
    [("euclidean", False), ("squared_euclidean", True), ("cosine", False)],
)
def test_reference(rng, name, normalize):
    labels, x = batch(rng)
    each = list(reference(distances(x, name, normalize), labels, 0.5))
    counted = sum(v is not None for v in each)
    assert counted == 10
    loss = losses.GeneralizedLiftedStructure(0.5, name, normalize, reduction=None)
    check_each(loss, labels, x, np.array([v or 0.0 for v in each]) * 11 / counted)


@pytest.mark.parametrize("which", ["x", "near"])
def test_golden(which):
    peer = golden("pml_in_batch")
    name = f"generalized_lifted_structure_{which}"
    loss = losses.GeneralizedLiftedStructure(1.5)
    value, gradient = peer[name], peer[f"{name}_gradient"]
    check_value_and_gradient(loss, peer["labels"], peer[which], value, gradient)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.GeneralizedLiftedStructure(), labels, x)
