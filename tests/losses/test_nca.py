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


def reference(D, labels, objective, temperature):
    """Goldberger et al., one sample at a time: pick a neighbour; None without a positive."""
    for i in range(len(D)):
        positives, negatives = positives_and_negatives(labels, i)
        if not positives:
            yield None
            continue
        e = np.exp(-D[i] / temperature)
        p = sum(e[j] / sum(e[k] for k in positives + negatives) for j in positives)
        yield 1 - p if objective == "accuracy" else -np.log(p)


@pytest.mark.parametrize("objective", ["likelihood", "accuracy"])
@pytest.mark.parametrize(
    ("name", "normalize", "temperature"),
    [("squared_euclidean", False, 3.0), ("euclidean", True, 0.2)],
)
def test_reference(rng, objective, name, normalize, temperature):
    labels, x = batch(rng)
    each = list(reference(distances(x, name, normalize), labels, objective, temperature))
    loss = losses.NCA(objective, temperature, name, normalize, reduction=None)
    check_each(loss, labels, x, np.array([v or 0.0 for v in each]) * 11 / 10)


@pytest.mark.parametrize("which", ["x", "near"])
def test_golden(which):
    peer = golden("pml_in_batch")
    value, gradient = (peer[f"nca_{which}{end}"] for end in ("", "_gradient"))
    loss = losses.NCA(temperature=2.0)
    check_value_and_gradient(loss, peer["labels"], peer[which], value, gradient)


def test_the_accuracy_is_that_of_the_nearest_neighbour_when_cold(rng):
    labels, x = batch(rng)
    D = distances(x) + np.diag([np.inf] * 11)
    right = (labels[D.argmin(1)] == labels)[[list(labels).count(label) > 1 for label in labels]]
    loss = losses.NCA("accuracy", temperature=1e-3)
    np.testing.assert_allclose(float(loss(labels, x)), 1 - right.mean(), atol=1e-6)


@pytest.mark.parametrize("objective", ["likelihood", "accuracy"])
@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, objective, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.NCA(objective), labels, x)
